import { open, readFile, rm } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';

const LOOK_EVERY_MS = 250;

const holderLives = async (path: string): Promise<boolean> => {
  const text = await readFile(path, 'utf8').catch(() => null);
  if (text === null) return false;
  const pid = Number(text);
  // Just made and not yet written: give its maker the time to write.
  if (!Number.isInteger(pid) || pid <= 0) return text === '';
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
};

/**
 * Holds `path` as a lock between processes while `work` runs; a lock of a dead process is taken over.
 * It only spares double work: what it guards must be correct without it. @throws what `work` throws, AbortError
 */
export const withInstallLock = async <T>(path: string, signal: AbortSignal, work: () => Promise<T>): Promise<T> => {
  for (;;) {
    signal.throwIfAborted();
    const handle = await open(path, 'wx', 0o600).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'EEXIST') return null;
      throw error;
    });
    if (handle !== null) {
      try {
        await handle.writeFile(String(process.pid));
        return await work();
      } finally {
        await handle.close();
        await rm(path, { force: true });
      }
    }
    if (!(await holderLives(path))) await rm(path, { force: true });
    else await delay(LOOK_EVERY_MS, undefined, { signal });
  }
};
