/**
 * Mutual exclusion between the tabs of one browser. Web Locks where the page is a secure context; over
 * plain http on another machine there are none, so a lease in localStorage stands in. The lease can fail
 * for a moment when two tabs write at once; the server's 10 s grace for the previous refresh token and
 * events that carry whole objects make that harmless.
 */
export interface BrowserLock {
  /** Runs `work` while holding `name`; waits until it is free. Rejects with the signal's reason when aborted first. */
  run<T>(name: string, work: () => Promise<T>, signal?: AbortSignal): Promise<T>;
}

const leaseMs = 8_000;
const renewMs = 2_500;
const pollMs = 300;
const settleMs = 60;

const pause = (durationMs: number, signal?: AbortSignal): Promise<void> =>
  new Promise((resolve, reject) => {
    const onAbort = () => {
      clearTimeout(timer);
      reject(signal?.reason as Error);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', onAbort);
      resolve();
    }, durationMs);
    if (signal?.aborted) onAbort();
    else signal?.addEventListener('abort', onAbort, { once: true });
  });

interface Lease {
  readonly owner: string;
  readonly expiresAt: number;
}

const readLease = (storage: Storage, key: string): Lease | null => {
  try {
    const value: unknown = JSON.parse(storage.getItem(key) ?? 'null');
    if (typeof value !== 'object' || value === null || !('owner' in value) || !('expiresAt' in value)) return null;
    return { owner: String(value.owner), expiresAt: Number(value.expiresAt) };
  } catch {
    return null;
  }
};

/** Lock by a lease in `storage`, for pages that are no secure context. */
export const createLeaseLock = (storage: Storage, owner: string, now: () => number = Date.now): BrowserLock => {
  const write = (key: string) =>
    storage.setItem(key, JSON.stringify({ owner, expiresAt: now() + leaseMs } satisfies Lease));
  const acquire = async (key: string, signal?: AbortSignal): Promise<void> => {
    for (;;) {
      signal?.throwIfAborted();
      const held = readLease(storage, key);
      if (!held || held.expiresAt <= now()) {
        write(key);
        await pause(settleMs, signal);
        if (readLease(storage, key)?.owner === owner) return;
      }
      await pause(pollMs, signal);
    }
  };
  const release = (key: string) => {
    if (readLease(storage, key)?.owner === owner) storage.removeItem(key);
  };
  /** Calls of this very tab queue up here: the lease tells tabs apart, not calls. */
  const queues = new Map<string, Promise<unknown>>();
  return {
    run: (name, work, signal) => {
      const key = `sac.lock.${name}`;
      const turn = (queues.get(name) ?? Promise.resolve()).then(async () => {
        await acquire(key, signal);
        const renewal = setInterval(() => write(key), renewMs);
        const onHide = () => release(key);
        globalThis.addEventListener?.('pagehide', onHide);
        try {
          return await work();
        } finally {
          clearInterval(renewal);
          globalThis.removeEventListener?.('pagehide', onHide);
          release(key);
        }
      });
      queues.set(
        name,
        turn.catch(() => undefined),
      );
      return turn;
    },
  };
};

const createWebLock = (locks: LockManager): BrowserLock => ({
  run: async (name, work, signal) =>
    locks.request(`sac.${name}`, signal ? { signal } : {}, work) as ReturnType<typeof work>,
});

/** Random id from the part of Web Crypto that exists outside secure contexts too. */
export const randomId = (): string =>
  Array.from(crypto.getRandomValues(new Uint8Array(12)), (byte) => byte.toString(16).padStart(2, '0')).join('');

/** Absent outside secure contexts, whatever the types say. */
const webLocks = navigator.locks as LockManager | null | undefined;
export const browserLock: BrowserLock = webLocks ? createWebLock(webLocks) : createLeaseLock(localStorage, randomId());
