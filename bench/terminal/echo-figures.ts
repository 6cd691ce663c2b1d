import type { Figure } from '../figures.ts';
import { timesOf, typeKeys, whileFlooding, type EchoTimes } from './echo.ts';
import {
  direct,
  startPlainRelay,
  startScripted,
  startTerminalServer,
  startTtyd,
  startWsProxy,
  type FarEnd,
  type Relay,
} from './parts.ts';
import { Stack } from './processes.ts';
import { settings } from './settings.ts';
import { medianOf, spread } from './statistics.ts';

const ECHO = ['/bin/sh', '-c', 'stty raw -echo; exec cat'];

/** One way a key takes, with its times per run when all is quiet and when others flood. */
interface Path {
  readonly relay: Relay;
  readonly farEnd: FarEnd;
  readonly idle: EchoTimes[];
  readonly flooded: EchoTimes[];
  readonly floodMegabytesPerSecond: number[];
}

const start = async (stack: Stack, hasTtyd: boolean): Promise<{ paths: Path[]; scripted: FarEnd }> => {
  const proxy = await startWsProxy(null);
  const plain = await startPlainRelay(null);
  const scripted = await startScripted(null);
  const server = await startTerminalServer(null, ECHO);
  const ttyd = hasTtyd ? await startTtyd(null, ECHO) : null;
  for (const part of [proxy, plain, scripted, server, ttyd]) if (part?.process) stack.add(part.process);
  const ways: [Relay, FarEnd][] = [
    [proxy, server],
    [plain, server],
  ];
  if (ttyd !== null) ways.push([direct, ttyd]);
  const empty = (): Pick<Path, 'idle' | 'flooded' | 'floodMegabytesPerSecond'> => ({
    idle: [],
    flooded: [],
    floodMegabytesPerSecond: [],
  });
  return { scripted, paths: ways.map(([relay, farEnd]) => ({ relay, farEnd, ...empty() })) };
};

const measure = async (paths: readonly Path[], scripted: FarEnd): Promise<void> => {
  for (let run = 0; run < settings.runs; run += 1) {
    for (const { relay, farEnd, idle } of paths) idle.push(timesOf(await typeKeys(relay, farEnd, settings.keys)));
    for (const { relay, farEnd, flooded, floodMegabytesPerSecond } of paths) {
      const { result, megabytesPerSecond } = await whileFlooding(
        { relay, farEnd: scripted, count: settings.floods, core: null },
        () => typeKeys(relay, farEnd, settings.keys),
      );
      flooded.push(timesOf(result));
      floodMegabytesPerSecond.push(megabytesPerSecond);
    }
  }
};

const pick = (times: readonly EchoTimes[] | undefined, which: keyof EchoTimes): number[] =>
  (times ?? []).map((time) => time[which]);
const three = (times: readonly EchoTimes[]): string =>
  (['p50Ms', 'p95Ms', 'p99Ms'] as const).map((which) => spread(pick(times, which), 2)).join(' / ');

const print = (paths: readonly Path[]): void => {
  console.log(`\nkey to echo, ms p50 / p95 / p99, ${settings.keys} keys a run`);
  for (const { relay, farEnd, idle, flooded, floodMegabytesPerSecond } of paths) {
    console.log(`  ${`${relay.name}, ${farEnd.name}`.padEnd(30)} idle ${three(idle)}`);
    console.log(
      `  ${''.padEnd(30)} ${settings.floods} floods ${three(flooded)}, ${spread(floodMegabytesPerSecond, 0)} MB/s`,
    );
  }
};

/** Key to echo through proxy and terminal server, alone and beside terminals that flood. */
export const echoFigures = async ({ hasTtyd }: { hasTtyd: boolean }): Promise<Figure[]> => {
  const stack = new Stack();
  try {
    const { paths, scripted } = await start(stack, hasTtyd);
    await measure(paths, scripted);
    print(paths);
    const find = (relay: string, farEnd: string) =>
      paths.find((path) => path.relay.name === relay && path.farEnd.name === farEnd);
    const ours = find('ws-proxy', 'terminal server');
    const conditions = `${settings.keys} keys, ${settings.runs} runs, no process pinned`;
    const idleP95 = medianOf(pick(ours?.idle, 'p95Ms'));
    const figures: Figure[] = [
      { name: 'key to echo, idle, p95', value: idleP95, unit: 'ms', digits: 2, atMost: 5, conditions },
      ...(['p95Ms', 'p99Ms'] as const).map((which) => ({
        name: `key to echo beside ${settings.floods} floods, ${which.slice(0, 3)}`,
        value: medianOf(pick(ours?.flooded, which)),
        unit: 'ms',
        digits: 1,
        atMost: which === 'p95Ms' ? 10 : 25,
        conditions: `${conditions}, floods from a scripted terminal server through the same proxy`,
      })),
    ];
    const ttyd = find('direct', 'ttyd');
    if (ttyd === undefined) return figures;
    const ttydP95 = medianOf(pick(ttyd.idle, 'p95Ms'));
    const ratio: Figure = {
      name: 'the same against ttyd direct, idle, p95',
      value: idleP95 / ttydP95,
      unit: '×',
      digits: 2,
      atMost: 1.5,
      conditions: `ttyd direct ${ttydP95.toFixed(2)} ms`,
    };
    return [...figures, ratio];
  } finally {
    await stack.end();
  }
};
