import { closeSync, existsSync, fsyncSync, linkSync, openSync, renameSync, rmSync, writeSync } from 'node:fs';
import { randomBytes } from 'node:crypto';

const PRIVATE_MODE = 0o600;

const writeBeside = (path: string, content: string): string => {
  const temporary = `${path}.${randomBytes(6).toString('hex')}.tmp`;
  const file = openSync(temporary, 'wx', PRIVATE_MODE);
  try {
    writeSync(file, content);
    fsyncSync(file);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  } finally {
    closeSync(file);
  }
  return temporary;
};

/** Replaces a file in one step: a reader, or a machine that loses power, sees the old or the new content. */
export const writePrivateFile = (path: string, content: string): void => {
  renameSync(writeBeside(path, content), path);
};

/** Creates a file in one step, complete or not at all. False when it exists already; then nothing changes. */
export const createPrivateFile = (path: string, content: string): boolean => {
  if (existsSync(path)) return false;
  const temporary = writeBeside(path, content);
  try {
    linkSync(temporary, path); // unlike rename, refuses to replace
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  } finally {
    rmSync(temporary, { force: true });
  }
};
