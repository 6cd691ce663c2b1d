import { setTimeout as delay } from 'node:timers/promises';

/** Waits that grow from `minMs` to `maxMs` with full jitter, so that many clients do not come back together. */
export class Backoff {
  readonly #minMs: number;
  readonly #maxMs: number;
  #attempt = 0;

  constructor(minMs: number, maxMs: number) {
    this.#minMs = minMs;
    this.#maxMs = maxMs;
  }

  reset(): void {
    this.#attempt = 0;
  }

  /** Ends early, without an error, when `signal` aborts. */
  async wait(signal: AbortSignal): Promise<void> {
    const ceilingMs = Math.min(this.#maxMs, this.#minMs * 2 ** Math.min(this.#attempt, 16));
    this.#attempt += 1;
    const waitMs = this.#minMs / 2 + Math.random() * (ceilingMs - this.#minMs / 2);
    await delay(waitMs, undefined, { signal }).catch(() => undefined);
  }
}
