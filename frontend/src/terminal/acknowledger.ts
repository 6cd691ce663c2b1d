/** Far below what the server lets be outstanding, so that a flood never waits for an acknowledgement in between. */
const EVERY_BYTES = 64 * 1024;
const AT_LATEST_MS = 100;

/** Says how far the screen has come: after every 64 KiB, and 100 ms after the last byte. */
export class Acknowledger {
  readonly #send: (offset: number) => void;
  #sent = 0;
  #pending = 0;
  #timer: ReturnType<typeof setTimeout> | null = null;

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
    if (offset - this.#sent >= EVERY_BYTES) this.#flush();
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
    this.#send(this.#pending);
  }
}
