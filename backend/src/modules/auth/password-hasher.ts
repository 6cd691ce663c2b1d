import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import { AppError } from '../../lib/app-error.ts';

export type HashJob =
  | { readonly id: number; readonly kind: 'hash'; readonly password: string; readonly cost: number }
  | { readonly id: number; readonly kind: 'verify'; readonly password: string; readonly hash: string };
export type HashResult =
  | { readonly id: number; readonly hash: string }
  | { readonly id: number; readonly matches: boolean }
  | { readonly id: number; readonly failed: true };

export interface PasswordHasher {
  /** bcrypt hash at today's cost. Throws AppError `rate_limited` when too many wait already. */
  hash(password: string): Promise<string>;
  /** With `hash` null it computes as long and answers false: unknown accounts take the time of known ones. */
  verify(password: string, hash: string | null): Promise<boolean>;
  /** How many were computed since the start; for metrics. */
  computedCount(): number;
  close(): Promise<void>;
}

export interface PasswordHasherOptions {
  readonly cost?: number;
  readonly threads?: number;
  readonly maxWaiting?: number;
}

export const BCRYPT_COST = 12;
const MAX_WAITING = 40;
const JOB_TIMEOUT_MS = 30_000;
/** Hash of a text nobody has, per cost so that it takes as long as a real one. */
const unknownAccountHash = (cost: number): string =>
  `$2b$${String(cost).padStart(2, '0')}$CKeAIAY8Ois3WeDrUkmw1.Y08jj0.1ODbW19rJoP5KLI7Z6qIQvZC`;

// Beside this file in both forms: as TypeScript and in the bundle.
const workerUrl = new URL(import.meta.url.endsWith('.ts') ? './password.worker.ts' : './password.worker.js', import.meta.url);

interface Waiting {
  readonly job: HashJob;
  readonly resolve: (result: HashResult) => void;
  readonly reject: (err: Error) => void;
}

interface Thread {
  readonly worker: Worker;
  current: Waiting | null;
  timer: NodeJS.Timeout | null;
}

const busy = (): AppError =>
  new AppError('rate_limited', 'Too many people are signing in at this moment. Try again in a few seconds.', { retryAfterSeconds: 5 });

/** A few threads with a bounded queue before them; threads start when first needed. Ended with `close`. */
export const createPasswordHasher = (options: PasswordHasherOptions = {}): PasswordHasher => {
  const cost = options.cost ?? BCRYPT_COST;
  const maxThreads = options.threads ?? Math.max(1, Math.min(4, availableParallelism() - 1));
  const maxWaiting = options.maxWaiting ?? MAX_WAITING;
  const threads = new Set<Thread>();
  const queue: Waiting[] = [];
  let nextId = 1;
  let computed = 0;
  let closed = false;

  const settle = (thread: Thread, result: HashResult | null): void => {
    const { current } = thread;
    thread.current = null;
    if (thread.timer !== null) clearTimeout(thread.timer);
    if (current === null) return;
    computed += 1;
    if (result === null || 'failed' in result) current.reject(new Error('password hashing failed'));
    else current.resolve(result);
  };

  const drop = (thread: Thread): void => {
    if (!threads.delete(thread)) return;
    settle(thread, null);
    void thread.worker.terminate();
    if (!closed) dispatch();
  };

  const startThread = (): Thread => {
    const thread: Thread = { worker: new Worker(workerUrl, { env: {}, resourceLimits: { maxOldGenerationSizeMb: 32 } }), current: null, timer: null };
    threads.add(thread);
    thread.worker.unref();
    thread.worker.on('message', (result: HashResult) => {
      if (thread.current?.job.id !== result.id) return;
      settle(thread, result);
      dispatch();
    });
    thread.worker.on('error', () => drop(thread));
    thread.worker.on('exit', () => drop(thread));
    return thread;
  };

  const dispatch = (): void => {
    while (queue.length > 0) {
      const idle = [...threads].find((thread) => thread.current === null);
      const thread = idle ?? (threads.size < maxThreads ? startThread() : null);
      const next = thread === null ? undefined : queue.shift();
      if (thread === null || next === undefined) return;
      thread.current = next;
      thread.timer = setTimeout(() => drop(thread), JOB_TIMEOUT_MS);
      thread.worker.postMessage(next.job);
    }
  };

  const submit = (job: HashJob): Promise<HashResult> => {
    if (closed || queue.length >= maxWaiting) return Promise.reject(busy());
    return new Promise((resolve, reject) => {
      queue.push({ job, resolve, reject });
      dispatch();
    });
  };

  const takeId = (): number => (nextId = (nextId % Number.MAX_SAFE_INTEGER) + 1);

  return {
    async hash(password) {
      const result = await submit({ id: takeId(), kind: 'hash', password, cost });
      if (!('hash' in result)) throw new Error('password hashing failed');
      return result.hash;
    },
    async verify(password, hash) {
      const result = await submit({ id: takeId(), kind: 'verify', password, hash: hash ?? unknownAccountHash(cost) });
      return 'matches' in result && result.matches && hash !== null;
    },
    computedCount: () => computed,
    async close() {
      closed = true;
      for (const waiting of queue.splice(0)) waiting.reject(busy());
      for (const thread of threads) settle(thread, null);
      const workers = [...threads].map((thread) => thread.worker);
      threads.clear();
      await Promise.all(workers.map((worker) => worker.terminate()));
    },
  };
};
