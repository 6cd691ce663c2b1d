import { Worker } from 'node:worker_threads';
import type { Size } from '@sac/contracts';
import { bounds } from '../constants.ts';
import type { Answer, FromWorker, Place, Question, ToWorker } from './messages.ts';
import type { ScreenText } from './screen-model.ts';

export interface Snapshot {
  readonly data: Uint8Array;
  /** What comes after it in the stream. */
  readonly place: Place;
}

export interface ScreenEvents {
  readonly onTitle: (title: string) => void;
  /** The emulator answered a question that lies before `offset` in the stream. */
  readonly onReply: (data: Uint8Array, offset: number) => void;
  /** The model caught up to `offset`. */
  readonly onParsed: (offset: number) => void;
  /** The worker was lost: write the stream again from where it is still known, after `Screen.reopen`. */
  readonly onLost: () => void;
}

type AnswerTo<W extends Question['what']> = Extract<Answer, { readonly what: W }>;

interface Waiting {
  readonly id: number;
  readonly resolve: (answer: Answer) => void;
  readonly reject: (error: Error) => void;
  readonly timer: NodeJS.Timeout;
}

const MAX_LOSSES = 3;
const LOSS_WINDOW_MS = 60_000;

/** TypeScript source runs as it is in development and tests; the build puts both files beside each other. */
const workerUrl = new URL(
  import.meta.url.endsWith('.ts') ? './screen.worker.ts' : './screen.worker.js',
  import.meta.url,
);

/** The worker thread that holds all screen models. One thread serves every terminal of the sandbox. */
export class Screens {
  readonly #onFatal: (error: Error) => void;
  readonly #events = new Map<number, ScreenEvents>();
  readonly #waiting = new Map<number, Waiting>();
  #worker: Worker;
  #nextId = 1;
  #nextRequest = 1;
  #closed = false;
  #losses: number[] = [];

  /** `onFatal`: the worker keeps dying; nothing but a restart of the process can help. */
  constructor(onFatal: (error: Error) => void) {
    this.#onFatal = onFatal;
    this.#worker = this.#start();
  }

  open(size: Size, events: ScreenEvents): Screen {
    const id = this.#nextId++;
    this.#events.set(id, events);
    this.post({ kind: 'open', id, place: { size, offset: 0, nextSequence: 0 } });
    return new Screen(this, id);
  }

  post(message: ToWorker, transfer: ArrayBuffer[] = []): void {
    if (!this.#closed) this.#worker.postMessage(message, transfer);
  }

  /** @throws Error when the answer does not come in time or the screen is gone */
  ask<W extends Question['what']>(id: number, question: Question & { readonly what: W }): Promise<AnswerTo<W>> {
    const request = this.#nextRequest++;
    return new Promise<AnswerTo<W>>((resolve, reject) => {
      const timer = setTimeout(() => this.#fail(request, 'no answer in time'), bounds.snapshotTimeoutMs);
      const settle = (answer: Answer): void => resolve(answer as AnswerTo<W>);
      this.#waiting.set(request, { id, resolve: settle, reject, timer });
      this.post({ kind: 'ask', id, request, question });
    });
  }

  forget(id: number): void {
    this.post({ kind: 'close', id });
    this.#events.delete(id);
    for (const [request, waiting] of this.#waiting)
      if (waiting.id === id) this.#fail(request, 'the terminal was closed');
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const request of this.#waiting.keys()) this.#fail(request, 'the server is closing');
    await this.#worker.terminate();
  }

  #start(): Worker {
    const worker = new Worker(workerUrl, { env: {}, execArgv: [] });
    worker.on('message', (message: FromWorker) => this.#receive(message));
    worker.on('error', (error: Error) => this.#lost(worker, error));
    worker.on('exit', (code) => this.#lost(worker, new Error(`it ended with code ${code}`)));
    return worker;
  }

  #receive(message: FromWorker): void {
    const events = this.#events.get(message.id);
    switch (message.kind) {
      case 'parsed':
        events?.onParsed(message.offset);
        break;
      case 'reply':
        events?.onReply(Buffer.from(message.data), message.offset);
        break;
      case 'title':
        events?.onTitle(message.title);
        break;
      case 'answer': {
        const waiting = this.#waiting.get(message.request);
        if (waiting === undefined) break;
        clearTimeout(waiting.timer);
        this.#waiting.delete(message.request);
        waiting.resolve(message.answer);
        break;
      }
    }
  }

  #fail(request: number, reason: string): void {
    const waiting = this.#waiting.get(request);
    if (waiting === undefined) return;
    clearTimeout(waiting.timer);
    this.#waiting.delete(request);
    waiting.reject(new Error(`screen model: ${reason}`));
  }

  /** Models are rebuilt from the tails; a screen that kills the worker again and again is not survivable here. */
  #lost(worker: Worker, error: Error): void {
    if (this.#closed || worker !== this.#worker) return;
    const now = performance.now();
    this.#losses = [...this.#losses.filter((at) => now - at < LOSS_WINDOW_MS), now];
    for (const request of this.#waiting.keys()) this.#fail(request, `worker lost: ${error.message}`);
    if (this.#losses.length > MAX_LOSSES) {
      this.#onFatal(error);
      return;
    }
    this.#worker = this.#start();
    for (const events of this.#events.values()) events.onLost();
  }
}

/** One terminal's model, seen from the main thread. */
export class Screen {
  readonly #screens: Screens;
  readonly #id: number;
  #batch: Buffer | null = null;
  #batched = 0;
  #timer: NodeJS.Timeout | null = null;
  #closed = false;

  constructor(screens: Screens, id: number) {
    this.#screens = screens;
    this.#id = id;
  }

  /** Copies the bytes; they reach the model within `modelBatchMs`. */
  write(bytes: Uint8Array): void {
    for (let from = 0; from < bytes.length && !this.#closed;) {
      this.#batch ??= Buffer.allocUnsafeSlow(bounds.modelBatchBytes);
      const count = Math.min(bytes.length - from, bounds.modelBatchBytes - this.#batched);
      this.#batch.set(bytes.subarray(from, from + count), this.#batched);
      this.#batched += count;
      from += count;
      if (this.#batched === bounds.modelBatchBytes) this.#post();
    }
    if (this.#batched > 0) this.#timer ??= setTimeout(() => this.#post(), bounds.modelBatchMs);
  }

  /** `nextSequence`: number of the size change after this one. */
  resize(size: Size, nextSequence: number): void {
    this.#post();
    this.#screens.post({ kind: 'resize', id: this.#id, size, nextSequence });
  }

  /** After `onLost`: an empty model again, at this place of the stream. */
  reopen(place: Place): void {
    this.#batched = 0;
    this.#screens.post({ kind: 'open', id: this.#id, place });
  }

  /** `maxBytes`: scrollback is left out from the top until it fits; the screen itself is always whole. */
  async snapshot(maxBytes: number): Promise<Snapshot> {
    this.#post();
    return this.#screens.ask(this.#id, { what: 'snapshot', maxBytes });
  }

  async screen(): Promise<ScreenText> {
    this.#post();
    return (await this.#screens.ask(this.#id, { what: 'screen' })).screen;
  }

  /** Last output as plain text, at most 8 KiB of UTF-8. */
  async text(): Promise<string> {
    this.#post();
    return (await this.#screens.ask(this.#id, { what: 'text', maxBytes: bounds.outputTextBytes })).text;
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#batch = null;
    this.#screens.forget(this.#id);
  }

  /** A full batch changes hands without a copy; a small one is copied, so that the large buffer is used again. */
  #post(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    const batch = this.#batch;
    if (batch === null || this.#batched === 0) return;
    const count = this.#batched;
    this.#batched = 0;
    if (count === bounds.modelBatchBytes) {
      this.#batch = null;
      this.#screens.post(
        { kind: 'write', id: this.#id, data: batch },
        batch.buffer instanceof ArrayBuffer ? [batch.buffer] : [],
      );
    } else {
      this.#screens.post({ kind: 'write', id: this.#id, data: Uint8Array.from(batch.subarray(0, count)) });
    }
  }
}
