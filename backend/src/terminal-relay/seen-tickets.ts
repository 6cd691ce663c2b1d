/**
 * Ticket ids used here and not yet expired. The terminal server makes single use exact; this stops a replay
 * before it costs an upstream connection. Memory is bounded: when it is full of tickets that could still be
 * replayed, new ones are refused, because forgetting one would let it in twice.
 */
export class SeenTickets {
  readonly #capacity: number;
  readonly #expiresAtMs = new Map<string, number>();

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  get size(): number {
    return this.#expiresAtMs.size;
  }

  /** `fresh` the first time within the ticket's life, `seen` afterwards, `full` when it cannot be remembered. */
  use(id: string, expiresAtMs: number, nowMs: number): 'fresh' | 'seen' | 'full' {
    this.#forgetExpired(nowMs);
    if (this.#expiresAtMs.has(id)) return 'seen';
    if (this.#expiresAtMs.size >= this.#capacity) return 'full';
    this.#expiresAtMs.set(id, expiresAtMs);
    return 'fresh';
  }

  /** Tickets live equally long, so insertion order is nearly expiry order; the first that lives ends the sweep. */
  #forgetExpired(nowMs: number): void {
    for (const [id, expiresAtMs] of this.#expiresAtMs) {
      if (expiresAtMs > nowMs) return;
      this.#expiresAtMs.delete(id);
    }
  }
}
