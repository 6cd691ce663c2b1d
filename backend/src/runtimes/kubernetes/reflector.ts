import { setTimeout as delay } from 'node:timers/promises';
import { Watch } from '@kubernetes/client-node';
import type { Logger } from 'pino';
import { backoffMs } from '../../lib/backoff.ts';
import type { ClusterClient, ClusterObject } from './cluster-client.ts';
import { ClusterError } from './cluster-error.ts';

const PAGE_SIZE = 500;
/** The server ends a watch after this; it is begun again where it ended. The library gives up on one silent for 30 s. */
const WATCH_SECONDS = 20;
const WATCH_SPREAD_SECONDS = 6;
const BACKOFF = { firstMs: 250, maxMs: 10_000 };
/** A watch that ends sooner did not work. */
const WORKED_MS = 1_000;
/** After so many failures in a row everything is listed again: nobody knows what was missed. */
const FAILURES_UNTIL_RELIST = 8;

export interface ReflectorHandlers<T> {
  readonly onPut: (object: T) => void;
  readonly onDelete: (object: T) => void;
}

export interface ReflectorOptions<T> extends ReflectorHandlers<T> {
  readonly client: ClusterClient;
  readonly path: string;
  readonly labelSelector: string | null;
  readonly logger: Logger;
}

export interface Staleness {
  readonly since: Date;
  readonly reason: string;
}

interface List<T> {
  readonly metadata?: { readonly resourceVersion?: string; readonly continue?: string };
  readonly items: readonly T[];
}

/** The watch went on for too long without us: its place in history is no more. */
class Expired extends Error {}

/** Who owns which field is as large as the object itself and of no use here. */
const withoutManagers = <T extends ClusterObject>(object: T): T => {
  if (object.metadata !== undefined && 'managedFields' in object.metadata) delete object.metadata.managedFields;
  return object;
};

const keyOf = ({ metadata }: ClusterObject): string => `${metadata?.namespace}/${metadata?.name}`;
/** Of an answer instead of a watch, the library's error has the status alone. */
const statusOf = (error: unknown): number | null => {
  if (error instanceof ClusterError) return error.status;
  return error instanceof Error && 'statusCode' in error && typeof error.statusCode === 'number'
    ? error.statusCode
    : null;
};
const reasonOf = (error: unknown): string => (error instanceof Error ? error.message : String(error)).slice(0, 300);

/**
 * A copy of one kind of object in one namespace, kept up to date: listed once, then watched from there. Every end of a
 * watch leads to the next one, from the last version seen; only when that is too old is everything listed again.
 */
export class Reflector<T extends ClusterObject> {
  readonly #options: ReflectorOptions<T>;
  readonly #watch: Watch;
  readonly #abort = new AbortController();
  readonly #listed = Promise.withResolvers<void>();
  #objects = new Map<string, T>();
  #version: string | null = null;
  #failures = 0;
  #heardAt = new Date();
  #stale: Staleness | null = null;
  #running: Promise<void> | null = null;

  constructor(options: ReflectorOptions<T>) {
    this.#options = options;
    this.#watch = new Watch(options.client.kubeConfig);
    // Whoever starts it may have given up waiting.
    this.#listed.promise.catch(() => undefined);
  }

  /** Resolves when the copy is complete for the first time. It is begun once. */
  start(): Promise<void> {
    this.#running ??= this.#run();
    return this.#listed.promise;
  }

  /** Null while the copy is current, and before anything has gone wrong. */
  get stale(): Staleness | null {
    return this.#stale;
  }

  async close(): Promise<void> {
    this.#abort.abort(new Error('closed'));
    this.#listed.reject(new Error('closed'));
    await this.#running;
  }

  async #run(): Promise<void> {
    const { signal } = this.#abort;
    while (!signal.aborted) {
      try {
        if (this.#version === null) await this.#list();
        const beganAt = performance.now();
        await this.#watchOnce();
        this.#options.client.metrics.watchEnded(this.#options.path, 'ended');
        if (performance.now() - beganAt >= WORKED_MS) this.#failures = 0;
        else await this.#backOff();
      } catch (error) {
        if (signal.aborted) return;
        await this.#failed(error);
      }
    }
  }

  async #failed(error: unknown): Promise<void> {
    const isExpired = error instanceof Expired || statusOf(error) === 410;
    this.#options.client.metrics.watchEnded(this.#options.path, isExpired ? 'expired' : 'failed');
    if (isExpired || this.#failures >= FAILURES_UNTIL_RELIST) this.#version = null;
    if (!isExpired) {
      const reason = reasonOf(error);
      if (this.#stale === null) {
        this.#stale = { since: this.#heardAt, reason };
        this.#options.logger.warn({ path: this.#options.path, reason }, 'the cluster cannot be watched; trying again');
      } else this.#stale = { ...this.#stale, reason };
    }
    await this.#backOff();
  }

  async #backOff(): Promise<void> {
    this.#failures += 1;
    await delay(backoffMs(BACKOFF, this.#failures), undefined, { signal: this.#abort.signal }).catch(() => undefined);
  }

  #heard(): void {
    this.#heardAt = new Date();
    if (this.#stale === null) return;
    this.#stale = null;
    this.#options.logger.info({ path: this.#options.path }, 'the cluster is watched');
  }

  async #list(): Promise<void> {
    const { client, path, labelSelector } = this.#options;
    const found = new Map<string, T>();
    let version = '';
    for (let next: string | undefined = ''; next !== undefined;) {
      const page: List<T> = await client.call({
        method: 'GET',
        path,
        query: {
          limit: String(PAGE_SIZE),
          ...(labelSelector !== null && { labelSelector }),
          ...(next !== '' && { continue: next }),
        },
        signal: this.#abort.signal,
      });
      for (const object of page.items) found.set(keyOf(object), withoutManagers(object));
      version = page.metadata?.resourceVersion ?? '';
      next = page.metadata?.continue || undefined;
    }
    const before = this.#objects;
    this.#objects = found;
    this.#version = version;
    client.metrics.listed(path);
    this.#heard();
    for (const [key, object] of before) if (!found.has(key)) this.#tell('onDelete', object);
    for (const [key, object] of found) {
      if (before.get(key)?.metadata?.resourceVersion !== object.metadata?.resourceVersion) this.#tell('onPut', object);
    }
    this.#listed.resolve();
  }

  /** Resolves when the server ends the watch. @throws Expired, the library's errors */
  #watchOnce(): Promise<void> {
    const { path, labelSelector } = this.#options;
    const { signal } = this.#abort;
    return new Promise<void>((resolve, reject) => {
      let problem: Error | null = null;
      let controller: AbortController | null = null;
      let isDone = false;
      const done = (error: unknown): void => {
        isDone = true;
        signal.removeEventListener('abort', end);
        const reason = problem ?? error;
        if (reason instanceof Error) reject(reason);
        else resolve();
      };
      const query = {
        resourceVersion: this.#version ?? '',
        allowWatchBookmarks: true,
        timeoutSeconds: WATCH_SECONDS + Math.floor(Math.random() * WATCH_SPREAD_SECONDS),
        ...(labelSelector !== null && { labelSelector }),
      };
      // What this throws, the library swallows.
      const onLine = (type: string, object: unknown): void => {
        try {
          this.#event(type, object);
        } catch (error) {
          problem ??= error instanceof Error ? error : new Error(String(error));
        }
      };
      // Before the server has answered there is nothing to abort yet, and it may take long.
      const end = (): void => {
        controller?.abort();
        done(signal.reason);
      };
      signal.addEventListener('abort', end, { once: true });
      this.#watch.watch(path, query, onLine, done).then((begun) => {
        controller = begun;
        if (signal.aborted) begun.abort();
        else if (!isDone) this.#heard();
      }, done);
    });
  }

  #event(type: string, raw: unknown): void {
    if (type === 'ERROR') throw this.#watchError(raw);
    const object = withoutManagers(raw as T);
    const version = object.metadata?.resourceVersion;
    if (version !== undefined) this.#version = version;
    this.#heard();
    if (type === 'BOOKMARK') return;
    const key = keyOf(object);
    if (type === 'DELETED') {
      this.#objects.delete(key);
      this.#tell('onDelete', object);
    } else {
      this.#objects.set(key, object);
      this.#tell('onPut', object);
    }
  }

  #watchError(raw: unknown): Error {
    const { code = 0, message = '' } = (raw ?? {}) as { code?: number; message?: string };
    return code === 410 ? new Expired(message) : new Error(`the watch ended with ${code}: ${message}`);
  }

  /** A listener that fails must not end the watch, nor keep the others from hearing. */
  #tell(what: keyof ReflectorHandlers<T>, object: T): void {
    try {
      this.#options[what](object);
    } catch (err) {
      this.#options.logger.error({ err, key: keyOf(object) }, 'a change in the cluster could not be taken in');
    }
  }
}
