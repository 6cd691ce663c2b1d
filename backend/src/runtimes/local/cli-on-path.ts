import { readFile, realpath, stat } from 'node:fs/promises';
import { isAbsolute, join } from 'node:path';
import type { CliPin } from './cli-pins.ts';

/** Whether the program a profile starts is there and whole. */
export const entryIsWhole = async (dir: string, pin: CliPin): Promise<boolean> => {
  const info = await stat(join(dir, 'node_modules', pin.entry)).catch(() => null);
  return info !== null && info.isFile() && info.size >= pin.minEntryBytes;
};

const versionOf = async (packageJson: string): Promise<string | null> => {
  const text = await readFile(packageJson, 'utf8').catch(() => null);
  if (text === null) return null;
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && 'version' in value && typeof value.version === 'string'
      ? value.version
      : null;
  } catch {
    return null;
  }
};

/**
 * Folder whose `node_modules` holds exactly the pinned CLI, found through a search path; null when there is
 * none. Nothing is run to find out.
 */
export const findOnPath = async (pin: CliPin, searchPath: string): Promise<string | null> => {
  for (const folder of searchPath.split(':').filter(isAbsolute)) {
    const real = await realpath(join(folder, pin.command)).catch(() => null);
    const at = real?.indexOf(`/node_modules/${pin.packageName}/`) ?? -1;
    if (real === null || at < 0) continue;
    const dir = real.slice(0, at);
    const version = await versionOf(join(dir, 'node_modules', pin.packageName, 'package.json'));
    if (version === pin.version && (await entryIsWhole(dir, pin))) return dir;
  }
  return null;
};
