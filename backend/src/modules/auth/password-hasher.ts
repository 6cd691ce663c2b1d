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
/** At 0.3 s each on one thread the last one in the queue waits 12 s; nobody waits longer for a sign-in. */
const MAX_WAITING = 40;
const JOB_TIMEOUT_MS = 30_000;
/** A genuine digest of a text nobody has; the cost is set so that comparing takes as long as with a real one. */
const unknownAccountHash = (cost: number): string =>
  `$2b$${String(cost).padStart(2, '0')}$CKeAIAY8Ois3WeDrUkmw1.Y08jj0.1ODbW19rJoP5KLI7Z6qIQvZC`;

// Beside this file in both forms: as TypeScript and in the bundle.
const workerUrl = new URL(
  import.meta.url.endsWith('.ts') ? './password.worker.ts' : './password.worker.js',
  import.meta.url,
);

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
  new AppError('rate_limited', 'Too many people are signing in at this moment. Try again in a few seconds.', {
    retryAfterSeconds: 5,
  });

const hashingFailed = (): Error => new Error('password hashing failed');

/** A few threads with a bounded queue before them; a thread starts when it is first needed. */
class HashingThreads {
  readonly #maxThreads: number;
  readonly #maxWaiting: number;
  readonly #threads = new Set<Thread>();
  readonly #queue: Waiting[] = [];
  #isClosed = false;
  computedCount = 0;

  constructor(maxThreads: number, maxWaiting: number) {
    this.#maxThreads = maxThreads;
    this.#maxWaiting = maxWaiting;
  }

  submit(job: HashJob): Promise<HashResult> {
    if (this.#isClosed || this.#queue.length >= this.#maxWaiting) return Promise.reject(busy());
    return new Promise((resolve, reject) => {
      this.#queue.push({ job, resolve, reject });
      this.#dispatch();
    });
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    for (const waiting of this.#queue.splice(0)) waiting.reject(busy());
    const ending = [...this.#threads].map((thread) => this.#drop(thread));
    await Promise.all(ending);
  }

  #dispatch(): void {
    while (this.#queue.length > 0) {
      const idle = [...this.#threads].find((thread) => thread.current === null);
      const thread = idle ?? (this.#threads.size < this.#maxThreads ? this.#startThread() : null);
      const next = thread === null ? undefined : this.#queue.shift();
      if (thread === null || next === undefined) return;
      thread.current = next;
      thread.timer = setTimeout(() => this.#dropInBackground(thread), JOB_TIMEOUT_MS);
      thread.worker.postMessage(next.job);
    }
  }

  #startThread(): Thread {
    // No environment: a thread that sees passwords gets nothing else.
    const worker = new Worker(workerUrl, { env: {}, resourceLimits: { maxOldGenerationSizeMb: 32 } });
    const thread: Thread = { worker, current: null, timer: null };
    this.#threads.add(thread);
    worker.unref();
    worker.on('message', (result: HashResult) => {
      if (thread.current?.job.id !== result.id) return;
      this.computedCount += 1;
      this.#settle(thread, result);
      this.#dispatch();
    });
    worker.on('error', () => this.#dropInBackground(thread));
    worker.on('exit', () => this.#dropInBackground(thread));
    return thread;
  }

  #settle(thread: Thread, result: HashResult | null): void {
    const { current } = thread;
    thread.current = null;
    if (thread.timer !== null) clearTimeout(thread.timer);
    if (result === null || 'failed' in result) current?.reject(hashingFailed());
    else current?.resolve(result);
  }

  #dropInBackground(thread: Thread): void {
    this.#drop(thread).catch(() => undefined);
    if (!this.#isClosed) this.#dispatch();
  }

  async #drop(thread: Thread): Promise<void> {
    if (!this.#threads.delete(thread)) return;
    this.#settle(thread, null);
    await thread.worker.terminate();
  }
}

/** Ended with `close`. */
export const createPasswordHasher = (options: PasswordHasherOptions = {}): PasswordHasher => {
  const cost = options.cost ?? BCRYPT_COST;
  const threadCount = options.threads ?? Math.max(1, Math.min(4, availableParallelism() - 1));
  const threads = new HashingThreads(threadCount, options.maxWaiting ?? MAX_WAITING);
  let lastId = 0;
  return {
    async hash(password) {
      const result = await threads.submit({ id: (lastId += 1), kind: 'hash', password, cost });
      if (!('hash' in result)) throw hashingFailed();
      return result.hash;
    },
    async verify(password, hash) {
      const result = await threads.submit({
        id: (lastId += 1),
        kind: 'verify',
        password,
        hash: hash ?? unknownAccountHash(cost),
      });
      return 'matches' in result && result.matches && hash !== null;
    },
    computedCount: () => threads.computedCount,
    close: () => threads.close(),
  };
};
