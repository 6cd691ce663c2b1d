import { isPatternAt } from './pattern.ts';
import type { FarEnd, Relay } from './parts.ts';
import { sleep } from './statistics.ts';
import { TerminalClient, type Route } from './terminal-client.ts';

const PIECE_BYTES = 4_096;
const INTERVAL_MS = 100;
/** Handshakes under way at a time: what a burst of returning browsers looks like. */
const OPENING_AT_ONCE = 200;
const WARM_UP = 20;
const WARM_UP_SCRIPT = `paced:${PIECE_BYTES}:${INTERVAL_MS}:300`;
const DRAIN_MS = 10_000;

export interface Capacity {
  readonly terminalsPerCore: number;
  readonly residentBytesPerConnection: number;
  readonly openMs: number;
  readonly cores: number;
}

/** One terminal whose bytes are compared as they come. */
class Terminal {
  readonly client: TerminalClient;
  #wrongAt: number | null = null;

  constructor(route: Route, script: string) {
    this.client = new TerminalClient({
      route,
      authToken: script,
      onOutput: (piece) => {
        const at = this.client.outputBytes - piece.length;
        if (this.#wrongAt === null && !isPatternAt(at, piece)) this.#wrongAt = at;
      },
    });
  }

  isExact(byteCount: number): boolean {
    return this.#wrongAt === null && this.client.outputBytes === byteCount;
  }

  describe(): string {
    return `${this.client.outputBytes} bytes, ${this.#wrongAt === null ? 'none wrong' : `wrong at ${this.#wrongAt}`}`;
  }
}

/** One terminal for each route. */
const openAll = async (routes: readonly Route[], script: string): Promise<Terminal[]> => {
  const terminals: Terminal[] = [];
  const waiting = routes.values();
  const worker = async (): Promise<void> => {
    for (const route of waiting) {
      const terminal = new Terminal(route, script);
      terminals.push(terminal);
      await terminal.client.opened;
    }
  };
  await Promise.all(Array.from({ length: OPENING_AT_ONCE }, worker));
  return terminals;
};

export interface CapacityOptions {
  readonly relay: Relay;
  readonly farEnd: FarEnd;
  readonly count: number;
  readonly seconds: number;
}

/** Terminals of 40 KB/s each. @throws Error when a byte is missing or wrong */
export const measureCapacity = async ({ relay, farEnd, count, seconds }: CapacityOptions): Promise<Capacity> => {
  const { process } = relay;
  if (process === null) throw new Error('capacity is measured of a relay');
  // Made beforehand: signing tickets is the server's work, not the relay's.
  const routes = (howMany: number): Route[] =>
    Array.from({ length: howMany }, (_, index) => relay.routeTo(farEnd, `user-${index % 100}`));
  const warm = await openAll(routes(WARM_UP), WARM_UP_SCRIPT);
  for (const { client } of warm) client.type('\n');
  await sleep(500);
  for (const { client } of warm) client.close();
  await sleep(500);
  const residentBefore = process.residentBytes;
  const script = `paced:${PIECE_BYTES}:${INTERVAL_MS}:${seconds * 1_000}`;
  const all = routes(count);
  const openedFromMs = performance.now();
  const terminals = await openAll(all, script);
  const openMs = performance.now() - openedFromMs;
  const startedAtMs = performance.now();
  for (const { client } of terminals) client.type('\n');
  await sleep(500);
  const cpuBefore = process.cpuSeconds;
  const fromMs = performance.now();
  await sleep(Math.max(1_000, (seconds - 2) * 1_000));
  const cores = (process.cpuSeconds - cpuBefore) / ((performance.now() - fromMs) / 1_000);
  const residentBytes = process.residentBytes - residentBefore;
  const expected = Math.ceil((seconds * 1_000) / INTERVAL_MS) * PIECE_BYTES;
  const deadline = startedAtMs + seconds * 1_000 + DRAIN_MS;
  const inexact = (): Terminal[] => terminals.filter((terminal) => !terminal.isExact(expected));
  while (inexact().length > 0 && performance.now() < deadline) await sleep(100);
  const wrong = inexact();
  for (const { client } of terminals) client.close();
  if (wrong.length > 0) {
    const first = wrong[0]?.describe();
    throw new Error(`${relay.name}: ${wrong.length} of ${count} terminals are not exact (${expected} bytes); ${first}`);
  }
  return { terminalsPerCore: count / cores, residentBytesPerConnection: residentBytes / count, openMs, cores };
};
