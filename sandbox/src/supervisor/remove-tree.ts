import { chmod, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';

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
 * Removes a folder that programs of an agent filled and that nothing uses any more. Some close folders for writing, as Go
 * does with the modules it fetched; to a server that is not root they are closed as well until it opens them.
 * @throws the file system's error
 */
export const removeTree = async (folder: string): Promise<void> => {
  try {
    await rm(folder, { recursive: true, force: true });
  } catch (error) {
    if (errorCode(error) !== 'EACCES' && errorCode(error) !== 'EPERM') throw error;
    await openFolders(folder);
    await rm(folder, { recursive: true, force: true, maxRetries: 5 });
  }
};
