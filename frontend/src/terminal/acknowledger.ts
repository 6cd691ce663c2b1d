/** Far below what the server lets be outstanding, so that a flood never waits for an acknowledgement in between. */
const EVERY_BYTES = 64 * 1024;
const AT_LATEST_MS = 100;

/**
 * Says how far the screen has come: at once when it said nothing for 100 ms, then after every 64 KiB and 100 ms. At
 * once, so that the server knows early from where on this screen's answers to questions count.
 */
export class Acknowledger {
  readonly #send: (offset: number) => void;
  #sent = 0;
  #pending = 0;
  #timer: ReturnType<typeof setTimeout> | null = null;
  #lastSentMs = -Infinity;

  constructor(send: (offset: number) => void) {
    this.#send = send;
  }

  /** A new connection starts at `offset`. */
  restart(offset: number): void {
    this.stop();
    this.#sent = offset;
    this.#pending = offset;
  }

  processed(offset: number): void {
    this.#pending = offset;
    const isDue = offset > this.#sent && performance.now() - this.#lastSentMs >= AT_LATEST_MS;
    if (isDue || offset - this.#sent >= EVERY_BYTES) this.#flush();
    else if (offset > this.#sent) this.#timer ??= setTimeout(() => this.#flush(), AT_LATEST_MS);
  }

  /** Acknowledges `offset` even when no counted byte came: the end of a snapshot. */
  snapshotProcessed(offset: number): void {
    this.#pending = Math.max(this.#pending, offset);
    this.#flush();
  }

  stop(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }

  #flush(): void {
    this.stop();
    this.#sent = this.#pending;
    this.#lastSentMs = performance.now();
    this.#send(this.#pending);
  }
}
