import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** Where the parts of this installation lie, whether it runs from source or from the bundles. */
export interface Installation {
  readonly rootDir: string;
  readonly version: string;
  readonly backendDist: string;
  readonly sandboxDist: string;
  readonly frontendDir: string;
  readonly migrationsDir: string;
}

/** Walks up from `startDir` to the folder that holds `.version`. Throws when there is none. */
export const findInstallation = (startDir: string = import.meta.dirname): Installation => {
  let rootDir = startDir;
  while (!existsSync(join(rootDir, '.version'))) {
    const parent = dirname(rootDir);
    if (parent === rootDir)
      throw new Error(`No .version file in ${startDir} or above it: the installation is incomplete.`);
    rootDir = parent;
  }
  return {
    rootDir,
    version: readFileSync(join(rootDir, '.version'), 'utf8').trim(),
    backendDist: join(rootDir, 'backend/dist'),
    sandboxDist: join(rootDir, 'sandbox/dist'),
    frontendDir: join(rootDir, 'frontend/dist'),
    migrationsDir: join(rootDir, 'migrations'),
  };
};
