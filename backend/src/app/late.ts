import { setImmediate as turn } from 'node:timers/promises';

/** What is made when it is needed first, or when there is nothing else to do; whatever comes first. */
export class Late {
  readonly #waiting: (() => unknown)[] = [];
  #isEnded = false;

  /** @returns `make`'s result, the same each time. One that is not `common` waits until it is needed. */
  of<T extends object>(make: () => T, { common }: { readonly common: boolean }): () => T {
    let made: T | null = null;
    const get = (): T => (made ??= make());
    if (common) this.#waiting.push(get);
    return get;
  }

  /** Makes what is common, one after the other, and lets everybody else go first between two. Never rejects. */
  async makeAll(): Promise<void> {
    for (const get of this.#waiting.splice(0)) {
      await turn();
      if (this.#isEnded) return;
      try {
        get();
      } catch {
        // Whoever needs it is told.
      }
    }
  }

  end(): void {
    this.#isEnded = true;
  }
}
