import { fileURLToPath } from 'node:url';
import { percentile } from '../figures.ts';
import { Measured } from './processes.ts';
import type { FarEnd, Relay } from './parts.ts';
import { sleep } from './statistics.ts';
import { TerminalClient } from './terminal-client.ts';

const SETTLE_MS = 500;
const KEY_TIMEOUT_MS = 10_000;
/** Between two keys; random, so that nothing locks step with a timer. */
const LONGEST_PAUSE_MS = 20;

export interface EchoTimes {
  readonly p50Ms: number;
  readonly p95Ms: number;
  readonly p99Ms: number;
}

const withTimeout = async <T>(promise: Promise<T>, what: string): Promise<T> => {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what}: nothing within ${KEY_TIMEOUT_MS} ms`)), KEY_TIMEOUT_MS);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
};

/** Types `keys` times one key into a terminal that echoes, and waits each time for it to come back. */
export const typeKeys = async (relay: Relay, farEnd: FarEnd, keys: number): Promise<number[]> => {
  let arrived: (() => void) | null = null;
  const client = new TerminalClient({
    route: relay.routeTo(farEnd),
    extension: farEnd.bearer !== null,
    onOutput: () => arrived?.(),
  });
  const times: number[] = [];
  try {
    await client.opened;
    await sleep(SETTLE_MS);
    for (let key = 0; key < keys; key += 1) {
      const back = Promise.withResolvers<void>();
      arrived = back.resolve;
      const startedAtMs = performance.now();
      client.type('x');
      await withTimeout(back.promise, `${relay.name}, ${farEnd.name}, key ${key}`);
      times.push(performance.now() - startedAtMs);
      await sleep(Math.random() * LONGEST_PAUSE_MS);
    }
    return times;
  } finally {
    client.close();
  }
};

export const timesOf = (values: readonly number[]): EchoTimes => ({
  p50Ms: percentile(values, 50),
  p95Ms: percentile(values, 95),
  p99Ms: percentile(values, 99),
});

const viewersScript = fileURLToPath(new URL('../peers/flood-viewers.ts', import.meta.url));

/** Runs `work` while `count` terminals flood through the relay, each of a person of its own; also says how much came. */
export const whileFlooding = async <T>(
  { relay, farEnd, count, core }: { relay: Relay; farEnd: FarEnd; count: number; core: number | null },
  work: () => Promise<T>,
): Promise<{ readonly result: T; readonly megabytesPerSecond: number }> => {
  const routes = Array.from({ length: count }, (_, index) => JSON.stringify(relay.routeTo(farEnd, `flood-${index}`)));
  const viewers = await Measured.start({
    command: process.execPath,
    args: [viewersScript, ...routes],
    core,
    ready: /^open (\d+)/,
  });
  const startedAtMs = performance.now();
  try {
    const result = await work();
    const seconds = (performance.now() - startedAtMs) / 1_000;
    await viewers.end();
    return { result, megabytesPerSecond: Number(/bytes (\d+)/.exec(viewers.lastLine)?.[1]) / 1e6 / seconds };
  } finally {
    await viewers.end();
  }
};
