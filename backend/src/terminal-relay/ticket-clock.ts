/**
 * The clock that tickets are signed by, as api-gateway last told it; this machine's until then. Between two tellings goes
 * the clock that nobody can set.
 */
export class TicketClock {
  #offsetMs: number | null = null;

  /** Epoch milliseconds. */
  tell(nowMs: number): void {
    this.#offsetMs = nowMs - performance.now();
  }

  nowMs(): number {
    return this.#offsetMs === null ? Date.now() : performance.now() + this.#offsetMs;
  }
}
