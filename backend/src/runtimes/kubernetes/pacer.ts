import { setTimeout as delay } from 'node:timers/promises';

/** Lets callers through one after the other, at most so many in a second; none of them is turned away. */
export class Pacer {
  readonly #intervalMs: number;
  #nextAtMs = 0;

  constructor(perSecond: number) {
    this.#intervalMs = 1_000 / perSecond;
  }

  /** @throws the reason `signal` is aborted with */
  async turn(signal: AbortSignal): Promise<void> {
    const nowMs = performance.now();
    const atMs = Math.max(nowMs, this.#nextAtMs);
    this.#nextAtMs = atMs + this.#intervalMs;
    if (atMs > nowMs) await delay(atMs - nowMs, undefined, { signal });
    signal.throwIfAborted();
  }
}
