/** Far longer than a ticket lives and than asking for one takes; a browser session that ended never comes back. */
const REMEMBERED_MS = 10 * 60_000;
const CAPACITY = 100_000;

/**
 * Browser sessions that ended, remembered until no ticket of theirs can be good any more. Memory is bounded: beyond
 * the capacity the oldest is forgotten, which at any rate of sign-outs people reach is long past its tickets' end.
 */
export class RevokedSessions {
  readonly #revokedAtMs = new Map<string, number>();

  add(authSessions: readonly string[], nowMs: number): void {
    for (const id of authSessions) {
      // Set anew, so that insertion order is the order of time.
      this.#revokedAtMs.delete(id);
      this.#revokedAtMs.set(id, nowMs);
    }
    for (const [id, revokedAtMs] of this.#revokedAtMs) {
      if (this.#revokedAtMs.size <= CAPACITY && nowMs - revokedAtMs <= REMEMBERED_MS) return;
      this.#revokedAtMs.delete(id);
    }
  }

  has(authSession: string): boolean {
    return this.#revokedAtMs.has(authSession);
  }

  /** Oldest first. */
  all(): string[] {
    return [...this.#revokedAtMs.keys()];
  }
}
