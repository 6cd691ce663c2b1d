import { bounds } from './constants.ts';

/**
 * Merges the small reads of a PTY (never more than 4,095 bytes each) into frames: 64 KiB or 4 ms, whichever
 * comes first. Soon after input everything goes out in the same turn of the event loop.
 */
export class Coalescer {
  readonly #onFlush: (bytes: Buffer) => void;
  readonly #buffer = Buffer.allocUnsafeSlow(bounds.coalesceBytes);
  #length = 0;
  #timer: NodeJS.Timeout | null = null;
  #immediate: NodeJS.Immediate | null = null;
  #lastInputMs = -Infinity;

  /** `onFlush` gets a view that is valid only during the call. */
  constructor(onFlush: (bytes: Buffer) => void) {
    this.#onFlush = onFlush;
  }

  noteInput(): void {
    this.#lastInputMs = performance.now();
    if (this.#length > 0) this.#soon();
  }

  push(bytes: Uint8Array): void {
    for (let from = 0; from < bytes.length;) {
      const count = Math.min(bytes.length - from, bounds.coalesceBytes - this.#length);
      this.#buffer.set(bytes.subarray(from, from + count), this.#length);
      this.#length += count;
      from += count;
      if (this.#length === bounds.coalesceBytes) this.flush();
    }
    if (this.#length === 0) return;
    if (performance.now() - this.#lastInputMs <= bounds.echoWindowMs) this.#soon();
    else this.#timer ??= setTimeout(() => this.flush(), bounds.coalesceMs);
  }

  flush(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    if (this.#immediate !== null) clearImmediate(this.#immediate);
    this.#timer = null;
    this.#immediate = null;
    const length = this.#length;
    this.#length = 0;
    if (length > 0) this.#onFlush(this.#buffer.subarray(0, length));
  }

  /** After the reads of this turn, so that they still go out as one frame. */
  #soon(): void {
    this.#immediate ??= setImmediate(() => this.flush());
  }
}
