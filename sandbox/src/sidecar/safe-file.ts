import { constants } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';

const FOLDER_FLAGS = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW;
// O_NONBLOCK: a named pipe in the file's place must not hold us up.
const FILE_FLAGS = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

/**
 * Opens a file in a folder tree that another party can change at any moment. Each step is opened relative to
 * the folder before it and follows no link, so the result is always below `root`, whatever is moved meanwhile.
 * (Node has no openat; `/proc/self/fd/N/name` is the same.) @throws ENOENT, ELOOP and ENOTDIR for links
 */
const openBelow = async (root: string, relative: string): Promise<FileHandle> => {
  const parts = relative.split('/');
  const name = parts.pop() ?? '';
  if ([...parts, name].some((part) => part === '' || part === '.' || part === '..')) {
    throw new Error(`Not a plain relative path: ${relative}`);
  }
  let folder = await open(root, FOLDER_FLAGS);
  try {
    for (const part of parts) {
      const next = await open(`/proc/self/fd/${folder.fd}/${part}`, FOLDER_FLAGS);
      await folder.close();
      folder = next;
    }
    return await open(`/proc/self/fd/${folder.fd}/${name}`, FILE_FLAGS);
  } finally {
    await folder.close();
  }
};

/** Last `maxBytes` of an ordinary file below `root` as text; null when it is missing or something else. */
export const readTailBelow = async (root: string, relative: string, maxBytes: number): Promise<string | null> => {
  let handle: FileHandle;
  try {
    handle = await openBelow(root, relative);
  } catch {
    return null;
  }
  try {
    const info = await handle.stat();
    if (!info.isFile()) return null;
    const length = Math.min(info.size, maxBytes);
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(length), 0, length, info.size - length);
    return buffer.subarray(0, bytesRead).toString('utf8');
  } finally {
    await handle.close();
  }
};
