const WINDOW_MS = 60_000;

/** How often each agent's supervisor was ended from outside lately. */
export class Deaths {
  readonly #timesMs = new Map<string, number[]>();

  /** @returns the number within the last minute, this one included */
  add(agentUid: string): number {
    const now = Date.now();
    const recent = [...(this.#timesMs.get(agentUid) ?? []), now].filter((time) => now - time < WINDOW_MS);
    this.#timesMs.set(agentUid, recent);
    return recent.length;
  }

  forget(agentUid: string): void {
    this.#timesMs.delete(agentUid);
  }
}
