/** Lets callers through one after the other, at most so many in a second; who gives up waiting takes no turn. */
export class Pacer {
  readonly #intervalMs: number;
  readonly #waiting = new Set<() => void>();
  #timer: NodeJS.Timeout | null = null;
  #nextAtMs = 0;

  constructor(perSecond: number) {
    this.#intervalMs = 1_000 / perSecond;
  }

  /** @throws the reason `signal` is aborted with */
  async turn(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const giveUp = (): void => {
      this.#waiting.delete(resolve);
      reject(signal.reason as Error);
    };
    signal.addEventListener('abort', giveUp, { once: true });
    this.#waiting.add(resolve);
    this.#letThrough();
    await promise.finally(() => signal.removeEventListener('abort', giveUp));
  }

  #letThrough(): void {
    const [first] = this.#waiting;
    if (this.#timer !== null || first === undefined) return;
    const nowMs = performance.now();
    if (nowMs >= this.#nextAtMs) {
      this.#nextAtMs = Math.max(this.#nextAtMs, nowMs - this.#intervalMs) + this.#intervalMs;
      this.#waiting.delete(first);
      first();
    }
    if (this.#waiting.size === 0) return;
    this.#timer = setTimeout(() => {
      this.#timer = null;
      this.#letThrough();
    }, this.#nextAtMs - nowMs);
  }
}
