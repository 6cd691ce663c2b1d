/** What a program may show at once, and for how long, before it counts as a flood. The busiest CLIs stay far below. */
const BURST_BYTES = 2 * 1024 * 1024;
const BYTES_PER_SECOND = 64 * 1024;

/** A bucket of bytes that fills up slowly. */
export class OutputBudget {
  #left = BURST_BYTES;
  #lastMs = performance.now();

  /** False: more than there is. */
  take(bytes: number, nowMs: number): boolean {
    this.#left = Math.min(BURST_BYTES, this.#left + ((nowMs - this.#lastMs) * BYTES_PER_SECOND) / 1_000);
    this.#lastMs = nowMs;
    if (bytes > this.#left) return false;
    this.#left -= bytes;
    return true;
  }
}

/** Whether so much in so long could go on for ever. */
export const isSustainable = (bytes: number, ms: number): boolean => bytes * 1_000 <= BYTES_PER_SECOND * ms;
