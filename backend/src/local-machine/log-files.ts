import { closeSync, copyFileSync, openSync, readSync, statSync, truncateSync } from 'node:fs';

const MAX_BYTES = 20 * 1024 * 1024;
const CHECK_INTERVAL_MS = 60_000;

/** Opened for appending, which is what makes truncating it under a running writer safe. */
export const openLog = (path: string): number => openSync(path, 'a', 0o600);

const boundOnce = (path: string): void => {
  const size = statSync(path, { throwIfNoEntry: false })?.size ?? 0;
  if (size <= MAX_BYTES) return;
  copyFileSync(path, `${path}.1`);
  truncateSync(path);
};

/**
 * Keeps log files at 20 MB with one older copy each. They are truncated in place, because the processes that write
 * them (PostgreSQL among them) hold them open. Returns the function that stops it.
 */
export const keepLogsBounded = (paths: readonly string[], onError: (error: unknown) => void): (() => void) => {
  const check = (): void => {
    for (const path of paths) {
      try {
        boundOnce(path);
      } catch (error) {
        onError(error);
      }
    }
  };
  check();
  const timer = setInterval(check, CHECK_INTERVAL_MS);
  timer.unref();
  return () => clearInterval(timer);
};

/** The last bytes of a file as text; empty when it does not exist. */
export const tailOf = (path: string, maxBytes: number): string => {
  const size = statSync(path, { throwIfNoEntry: false })?.size ?? 0;
  if (size === 0) return '';
  const length = Math.min(size, maxBytes);
  const buffer = Buffer.alloc(length);
  const file = openSync(path, 'r');
  try {
    const read = readSync(file, buffer, 0, length, size - length);
    return buffer.toString('utf8', 0, read);
  } finally {
    closeSync(file);
  }
};
