import { backoffMs } from './backoff.ts';

/**
 * Keyed work, level-triggered: a key waits at most once, never runs twice at the same time, and a key added
 * while it runs runs again afterwards. Failures are retried with exponential backoff and full jitter.
 */
export interface WorkQueue {
  add(key: string): void;
  /** Runs the key after the delay unless it runs earlier for another reason. */
  addAfter(key: string, delayMs: number): void;
  /** Keys that wait for their turn, those that wait for a time left out. */
  depth(): number;
  /** Takes no more work; resolves when running work has ended. */
  close(): Promise<void>;
}

export interface WorkQueueOptions {
  readonly work: (key: string, signal: AbortSignal) => Promise<void>;
  readonly onError: (key: string, error: unknown, failures: number) => void;
  readonly concurrency: number;
  readonly backoffMinMs?: number;
  readonly backoffMaxMs?: number;
}

const LONGEST_TIMER_MS = 2 ** 31 - 1;

export const createWorkQueue = (options: WorkQueueOptions): WorkQueue => {
  const { work, onError, concurrency, backoffMinMs = 200, backoffMaxMs = 30_000 } = options;
  const waiting = new Set<string>();
  const running = new Map<string, Promise<void>>();
  const timers = new Map<string, { timer: NodeJS.Timeout; atMs: number }>();
  const failures = new Map<string, number>();
  const abort = new AbortController();

  const clearTimer = (key: string): void => {
    clearTimeout(timers.get(key)?.timer);
    timers.delete(key);
  };

  const runOne = async (key: string): Promise<void> => {
    try {
      await work(key, abort.signal);
      failures.delete(key);
    } catch (error) {
      if (abort.signal.aborted) return;
      const count = (failures.get(key) ?? 0) + 1;
      failures.set(key, count);
      onError(key, error, count);
      addAfter(key, backoffMs({ firstMs: backoffMinMs, maxMs: backoffMaxMs }, count));
    }
  };

  const pump = (): void => {
    for (const key of waiting) {
      if (running.size >= concurrency || abort.signal.aborted) return;
      if (running.has(key)) continue;
      waiting.delete(key);
      clearTimer(key);
      // Starts a turn later, so that work which adds its own key finds it running.
      const ended = Promise.resolve()
        .then(() => runOne(key))
        .finally(() => {
          running.delete(key);
          pump();
        });
      running.set(key, ended);
    }
  };

  const add = (key: string): void => {
    if (abort.signal.aborted) return;
    waiting.add(key);
    pump();
  };

  const addAfter = (key: string, delayMs: number): void => {
    if (abort.signal.aborted) return;
    const atMs = Date.now() + delayMs;
    const existing = timers.get(key);
    if (existing && existing.atMs <= atMs) return;
    clearTimer(key);
    const timer = setTimeout(
      () => {
        timers.delete(key);
        add(key);
      },
      Math.min(delayMs, LONGEST_TIMER_MS),
    );
    timer.unref();
    timers.set(key, { timer, atMs });
  };

  const close = async (): Promise<void> => {
    abort.abort();
    waiting.clear();
    for (const key of [...timers.keys()]) clearTimer(key);
    await Promise.allSettled(running.values());
  };

  return { add, addAfter, depth: () => waiting.size, close };
};
