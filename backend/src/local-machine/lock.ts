import { readFileSync, renameSync, rmSync } from 'node:fs';
import { createPrivateFile, writePrivateFile } from './private-file.ts';
import { identityOf, isAlive, parseIdentity, type ProcessIdentity } from './process-identity.ts';

export interface LockHolder extends ProcessIdentity {
  /** Empty until the port is known. */
  readonly url: string;
  readonly version: string;
}

export interface Lock {
  /** Tells others where the site is. */
  publish(url: string): void;
  release(): void;
}

const readHolder = (path: string): LockHolder | null => {
  try {
    const value: unknown = JSON.parse(readFileSync(path, 'utf8'));
    const identity = parseIdentity(value);
    const { url, version } = value as Partial<LockHolder>;
    return identity === null ? null : { ...identity, url: url ?? '', version: version ?? '' };
  } catch {
    return null; // absent, or not written by us: nobody can be asked about it
  }
};

/** The living process that holds the lock, or null. */
export const lockHolder = (path: string): LockHolder | null => {
  const holder = readHolder(path);
  return holder !== null && isAlive(holder) ? holder : null;
};

/** Takes the lock away from a dead process. Two starters may try at once: only one can rename the same file. */
const removeStale = (path: string): void => {
  const aside = `${path}.stale-${process.pid}`;
  try {
    renameSync(path, aside);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
    throw error;
  }
  const moved = readHolder(aside);
  // The other starter was faster and this is its fresh lock: give it back.
  if (moved !== null && isAlive(moved)) createPrivateFile(path, readFileSync(aside, 'utf8'));
  rmSync(aside, { force: true });
};

/** One `sac` per data directory. Returns the living holder instead when there is one. */
export const acquireLock = (path: string, version: string): Lock | LockHolder => {
  const identity = identityOf(process.pid);
  if (identity === null) throw new Error('There is no /proc on this machine.');
  const content = (url: string): string => JSON.stringify({ ...identity, url, version });
  for (let attempt = 0; attempt < 5; attempt += 1) {
    if (createPrivateFile(path, content(''))) {
      return {
        publish: (url) => writePrivateFile(path, content(url)),
        release: () => {
          if (readHolder(path)?.pid === process.pid) rmSync(path, { force: true });
        },
      };
    }
    const holder = lockHolder(path);
    if (holder !== null) return holder;
    removeStale(path);
  }
  throw new Error(`The lock ${path} keeps changing hands; is something starting the server in a loop?`);
};

export const isHolder = (result: Lock | LockHolder): result is LockHolder => 'pid' in result;
