import { open, readFile, rm, stat } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { processStartTime } from './process-start-time.ts';

const LOOK_EVERY_MS = 250;

/** Its maker writes at once; a lock that stays empty was cut off, as by a machine that lost its power. */
const EMPTY_FOR_MS = 5_000;

const isFresh = async (path: string): Promise<boolean> => {
  const info = await stat(path).catch(() => null);
  return info !== null && Date.now() - info.mtimeMs < EMPTY_FOR_MS;
};

/** The process id alone would say that a lock from before a reboot is held by whoever has that id now. */
const holderLives = async (path: string): Promise<boolean> => {
  const text = await readFile(path, 'utf8').catch(() => null);
  if (text === null) return false;
  if (text === '') return isFresh(path);
  const [, pid, startTime] = /^([1-9][0-9]*) ([0-9]+)$/.exec(text) ?? [];
  return startTime !== undefined && (await processStartTime(Number(pid))) === startTime;
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
        await handle.writeFile(`${process.pid} ${await processStartTime(process.pid)}`);
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
