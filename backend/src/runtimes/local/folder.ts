import { chmod, lstat, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';

/** Bytes of all files in a folder, hard links once; a folder that changes meanwhile gives what was seen. */
export const folderBytes = async (path: string): Promise<number> => {
  const seen = new Set<number>();
  let total = 0;
  const walk = async (folder: string): Promise<void> => {
    const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
    for (const entry of entries) {
      const child = join(folder, entry.name);
      if (entry.isDirectory()) await walk(child);
      else if (entry.isFile()) {
        const info = await lstat(child).catch(() => null);
        if (info === null || seen.has(info.ino)) continue;
        seen.add(info.ino);
        total += info.size;
      }
    }
  };
  await walk(path);
  return total;
};

/** Lets everybody read a folder and run what its owner may run, whatever the server's umask: sandboxes may have another user. */
export const makeReadableForAll = async (path: string): Promise<void> => {
  const info = await lstat(path);
  if (info.isSymbolicLink()) return;
  const executable = info.isDirectory() || (info.mode & 0o100) !== 0;
  const mode = (info.mode & 0o7777) | 0o444 | (executable ? 0o111 : 0);
  if (mode !== (info.mode & 0o7777)) await chmod(path, mode);
  if (!info.isDirectory()) return;
  for (const name of await readdir(path)) await makeReadableForAll(join(path, name));
};

const errorCode = (error: unknown): string => (error instanceof Error && 'code' in error ? String(error.code) : '');

/**
 * Links are not followed: what is no folder itself is left as it is. A folder may go meanwhile, because an attempt to remove
 * the tree goes on elsewhere in it after it has failed.
 */
const openFolders = async (folder: string): Promise<void> => {
  try {
    await chmod(folder, 0o700);
    for (const entry of await readdir(folder, { withFileTypes: true }))
      if (entry.isDirectory()) await openFolders(join(folder, entry.name));
  } catch (error) {
    if (errorCode(error) !== 'ENOENT') throw error;
  }
};

/**
 * Removes a folder that programs of an agent filled, once nothing of it runs. Some close folders for writing, as Go does
 * with the modules it fetched; to a server that is not root they are closed as well until it opens them.
 */
export const removeAgentFolder = async (folder: string): Promise<void> => {
  try {
    await rm(folder, { recursive: true, force: true });
  } catch (error) {
    if (errorCode(error) !== 'EACCES' && errorCode(error) !== 'EPERM') throw error;
    await openFolders(folder);
    await rm(folder, { recursive: true, force: true, maxRetries: 5 });
  }
};
