import type { Refusal } from '../lib/refusal.ts';

type CountLimits = Readonly<Record<'maxConnections' | 'maxConnectionsPerUser' | 'maxConnectionsPerAddress', number>>;

const RETRY_AFTER_SECONDS = 5;

/** Connections in total, per person and per address. Entries exist only while a connection does. */
export class ConnectionCounts {
  readonly #limits: CountLimits;
  readonly #perUser = new Map<string, number>();
  readonly #perAddress = new Map<string, number>();
  #total = 0;

  constructor(limits: CountLimits) {
    this.#limits = limits;
  }

  get total(): number {
    return this.#total;
  }

  /** Takes a place and returns the function that gives it back (once), or says which limit is reached. */
  acquire(user: string, address: string): (() => void) | Refusal {
    const { maxConnections, maxConnectionsPerUser, maxConnectionsPerAddress } = this.#limits;
    const retry = { retryAfterSeconds: RETRY_AFTER_SECONDS };
    if (this.#total >= maxConnections) {
      return {
        code: 'unavailable',
        message: `All ${maxConnections} terminal connections of this server are in use.`,
        ...retry,
      };
    }
    if ((this.#perUser.get(user) ?? 0) >= maxConnectionsPerUser) {
      return {
        code: 'rate_limited',
        message: `You have ${maxConnectionsPerUser} terminal connections open; close some first.`,
        ...retry,
      };
    }
    if ((this.#perAddress.get(address) ?? 0) >= maxConnectionsPerAddress) {
      return {
        code: 'rate_limited',
        message: `Your address has ${maxConnectionsPerAddress} terminal connections open.`,
        ...retry,
      };
    }
    this.#change(user, address, 1);
    let held = true;
    return () => {
      if (held) this.#change(user, address, -1);
      held = false;
    };
  }

  #change(user: string, address: string, by: 1 | -1): void {
    this.#total += by;
    for (const [counts, key] of [
      [this.#perUser, user],
      [this.#perAddress, address],
    ] as const) {
      const next = (counts.get(key) ?? 0) + by;
      if (next > 0) counts.set(key, next);
      else counts.delete(key);
    }
  }
}
