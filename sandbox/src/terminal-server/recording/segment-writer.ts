import type { OpenSegment, RecordStore } from './record-store.ts';

const FLUSH_BYTES = 64 * 1024;
const FLUSH_MS = 500;
/** More waiting than this means that the disk hangs. */
const MAX_WAITING_BYTES = 4 * 1024 * 1024;

/**
 * Writes lines to one segment after the other, in batches and behind the back of whoever adds them. After the
 * first failure it writes nothing more.
 */
export class SegmentWriter {
  readonly #store: RecordStore;
  readonly #terminal: string;
  readonly #onFailure: (error: Error) => void;
  #lines: string[] = [];
  #characters = 0;
  #segmentBytes = 0;
  #waitingBytes = 0;
  #work: Promise<void> = Promise.resolve();
  #file: OpenSegment | null = null;
  #timer: NodeJS.Timeout | null = null;
  #failed = false;

  constructor(store: RecordStore, terminal: string, onFailure: (error: Error) => void) {
    this.#store = store;
    this.#terminal = terminal;
    this.#onFailure = onFailure;
  }

  /** Bytes added to the segment in hand. */
  get segmentSize(): number {
    return this.#segmentBytes;
  }

  /** Ends the segment in hand and begins another. */
  begin(header: string): void {
    this.#flush();
    this.#segmentBytes = 0;
    this.#enqueue(async () => {
      await this.#file?.close();
      this.#file = null;
      this.#file = await this.#store.create(this.#terminal);
    });
    this.add(header);
  }

  add(line: string): void {
    if (this.#failed) return;
    this.#lines.push(line);
    this.#characters += line.length;
    this.#segmentBytes += Buffer.byteLength(line);
    if (this.#characters >= FLUSH_BYTES) this.#flush();
    else this.#timer ??= setTimeout(() => this.#flush(), FLUSH_MS);
  }

  /** Settles when everything added so far is in the file, or never will be. */
  async written(): Promise<void> {
    this.#flush();
    await this.#work;
  }

  async close(): Promise<void> {
    this.#flush();
    this.#enqueue(() => this.#closeFile());
    await this.#work;
    // After a failure nothing is queued any more.
    await this.#closeFile().catch(() => undefined);
  }

  #flush(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    if (this.#lines.length === 0) return;
    const text = this.#lines.join('');
    this.#lines = [];
    this.#characters = 0;
    this.#waitingBytes += text.length;
    if (this.#waitingBytes > MAX_WAITING_BYTES) {
      this.#fail(new Error(`${this.#waitingBytes} bytes wait for the disk, the limit is ${MAX_WAITING_BYTES}`));
      return;
    }
    this.#enqueue(async () => {
      await this.#file?.append(text);
      this.#waitingBytes -= text.length;
    });
  }

  #enqueue(step: () => Promise<void>): void {
    this.#work = this.#work.then(async () => {
      if (this.#failed) return;
      try {
        await step();
      } catch (error) {
        this.#fail(error instanceof Error ? error : new Error(String(error)));
      }
    });
  }

  #fail(error: Error): void {
    if (this.#failed) return;
    this.#failed = true;
    this.#lines = [];
    this.#onFailure(error);
  }

  async #closeFile(): Promise<void> {
    const file = this.#file;
    this.#file = null;
    await file?.close();
  }
}
