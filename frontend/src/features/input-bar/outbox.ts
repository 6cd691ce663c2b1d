import { shallowRef, type ShallowRef } from 'vue';
import { randomId } from '../../api/browser-lock.ts';
import type { Outgoing } from './queue-model.ts';
import { readStored, writeStored } from './stored.ts';

const MAX_OUTGOING = 20;
/** Pauses before the automatic tries; after the last one a person decides. */
const RETRY_DELAYS_MS = [500, 2000, 5000];
const MAX_RETRY_AFTER_MS = 10_000;

/** How a try to send ended badly. */
export interface SendFailure {
  readonly message: string;
  readonly requestId: string | null;
  /** The same request may well succeed a moment later. */
  readonly temporary: boolean;
  readonly retryAfterMs: number | null;
}

export interface OutboxOptions {
  /** Resolves when the server has the prompt. The same `clientRequestId` never makes a second prompt. */
  readonly send: (clientRequestId: string, text: string) => Promise<void>;
  readonly explain: (error: unknown) => SendFailure;
  /** Session storage: survives a reload and belongs to one tab, so two tabs never send each other's prompts. */
  readonly storage: Storage;
  readonly key: string;
  /** Said about prompts found after a reload, which may or may not have arrived. */
  readonly leftOverReason: string;
  readonly retryDelaysMs?: readonly number[];
}

const isOutgoing = (value: unknown): value is Outgoing =>
  typeof value === 'object' &&
  value !== null &&
  typeof (value as Outgoing).clientRequestId === 'string' &&
  typeof (value as Outgoing).text === 'string';

/**
 * Sends prompts one after the other and keeps each until the server has it. Repeats carry the same
 * `clientRequestId`. A prompt that cannot be sent stops those behind it, because order matters.
 */
export class Outbox {
  readonly entries: ShallowRef<readonly Outgoing[]>;
  readonly #options: OutboxOptions;
  readonly #closed = new AbortController();
  #running = false;

  constructor(options: OutboxOptions) {
    this.#options = options;
    const stored = readStored(options.storage, options.key);
    const leftOver = Array.isArray(stored) ? stored.filter(isOutgoing).slice(-MAX_OUTGOING) : [];
    this.entries = shallowRef(
      leftOver.map((entry) => ({ ...entry, state: 'failed', reason: options.leftOverReason, requestId: null })),
    );
  }

  get full(): boolean {
    return this.entries.value.length >= MAX_OUTGOING;
  }

  /** Takes the text over; false when too many prompts are unsent already. */
  add(text: string): boolean {
    if (this.full) return false;
    this.#set([
      ...this.entries.value,
      { clientRequestId: randomId(), text, state: 'waiting', reason: null, requestId: null },
    ]);
    void this.#run();
    return true;
  }

  /** Tries a failed one again as the next, under the same id. */
  retry(clientRequestId: string): void {
    const entry = this.entries.value.find((candidate) => candidate.clientRequestId === clientRequestId);
    if (!entry || entry.state !== 'failed') return;
    const rest = this.entries.value.filter((candidate) => candidate !== entry);
    const at = rest[0]?.state === 'sending' ? 1 : 0;
    this.#set(rest.toSpliced(at, 0, { ...entry, state: 'waiting', reason: null, requestId: null }));
    void this.#run();
  }

  /** Takes one out that is not under way. */
  remove(clientRequestId: string): Outgoing | null {
    const entry = this.entries.value.find((candidate) => candidate.clientRequestId === clientRequestId);
    if (!entry || entry.state === 'sending') return null;
    this.#forget(clientRequestId);
    void this.#run();
    return entry;
  }

  /** The server has these: whatever happened to the answers, they are no longer ours. */
  confirm(clientRequestIds: ReadonlySet<string>): void {
    const rest = this.entries.value.filter((entry) => !clientRequestIds.has(entry.clientRequestId));
    if (rest.length === this.entries.value.length) return;
    this.#set(rest);
    void this.#run();
  }

  /** Nothing more is begun; what is under way may still arrive. */
  close(): void {
    this.#closed.abort();
  }

  async #run(): Promise<void> {
    if (this.#running) return;
    this.#running = true;
    try {
      for (;;) {
        const head = this.entries.value[0];
        if (!head || head.state === 'failed' || this.#closed.signal.aborted) return;
        await this.#sendOne(head);
      }
    } finally {
      this.#running = false;
    }
  }

  async #sendOne(entry: Outgoing): Promise<void> {
    const delays = this.#options.retryDelaysMs ?? RETRY_DELAYS_MS;
    this.#patch(entry.clientRequestId, { state: 'sending' });
    for (let attempt = 0; ; attempt += 1) {
      try {
        await this.#options.send(entry.clientRequestId, entry.text);
        this.#forget(entry.clientRequestId);
        return;
      } catch (error) {
        if (this.#closed.signal.aborted || !this.#has(entry.clientRequestId)) return;
        const failure = this.#options.explain(error);
        const delay = delays[attempt];
        if (!failure.temporary || delay === undefined) {
          this.#patch(entry.clientRequestId, {
            state: 'failed',
            reason: failure.message,
            requestId: failure.requestId,
          });
          return;
        }
        await this.#pause(Math.max(delay, Math.min(failure.retryAfterMs ?? 0, MAX_RETRY_AFTER_MS)));
        if (this.#closed.signal.aborted || !this.#has(entry.clientRequestId)) return;
      }
    }
  }

  #pause(milliseconds: number): Promise<void> {
    const { signal } = this.#closed;
    return new Promise((resolve) => {
      if (signal.aborted) return resolve();
      const timer = setTimeout(done, milliseconds);
      function done(): void {
        clearTimeout(timer);
        signal.removeEventListener('abort', done);
        resolve();
      }
      signal.addEventListener('abort', done);
    });
  }

  #has(clientRequestId: string): boolean {
    return this.entries.value.some((entry) => entry.clientRequestId === clientRequestId);
  }

  #forget(clientRequestId: string): void {
    const others = (entry: Outgoing): boolean => entry.clientRequestId !== clientRequestId;
    if (!this.#closed.signal.aborted) return this.#set(this.entries.value.filter(others));
    // The page may have been opened again since: what lies in the storage is that one's by now.
    const stored = readStored(this.#options.storage, this.#options.key);
    if (Array.isArray(stored)) this.#store(stored.filter(isOutgoing).filter(others));
  }

  #patch(clientRequestId: string, change: Partial<Outgoing>): void {
    this.#set(
      this.entries.value.map((entry) => (entry.clientRequestId === clientRequestId ? { ...entry, ...change } : entry)),
    );
  }

  #set(entries: readonly Outgoing[]): void {
    this.entries.value = entries;
    this.#store(entries);
  }

  #store(entries: readonly Outgoing[]): void {
    writeStored(this.#options.storage, this.#options.key, entries.length === 0 ? null : entries);
  }
}
