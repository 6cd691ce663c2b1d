import type { Figure } from '../figures.ts';
import {
  direct,
  startPlainRelay,
  startTerminalServer,
  startTtyd,
  startWsProxy,
  type FarEnd,
  type Relay,
} from './parts.ts';
import { pinSelf } from './pinning.ts';
import { Stack } from './processes.ts';
import { settings } from './settings.ts';
import { medianOf, spread } from './statistics.ts';
import { transferFile, type Transfer } from './throughput.ts';

/** One way through relay and far end, and what it gave in each run. */
interface Path {
  readonly relay: Relay;
  readonly farEnd: FarEnd;
  readonly transfers: Transfer[];
}

interface Options {
  readonly file: string;
  readonly hasTtyd: boolean;
}

const showFile = (file: string): string[] => [
  '/bin/sh',
  '-c',
  `stty -opost -echo; while read -r line; do cat ${file}; done`,
];

/** All paths take turns, so that what disturbs the machine disturbs them alike. */
const measure = async ({ file, hasTtyd }: Options, pinned: boolean): Promise<ReadonlyMap<string, Path>> => {
  const stack = new Stack();
  const [relayCore, restCore] = pinned ? [settings.relayCore, settings.restCore] : [null, null];
  try {
    if (pinned) pinSelf(restCore);
    const proxy = await startWsProxy(relayCore);
    const plain = await startPlainRelay(relayCore);
    const server = await startTerminalServer(restCore, showFile(file));
    const ttyd = hasTtyd ? await startTtyd(restCore, showFile(file)) : null;
    for (const part of [proxy, plain, server, ttyd]) if (part?.process) stack.add(part.process);
    const paths = new Map<string, Path>();
    for (const farEnd of ttyd === null ? [server] : [server, ttyd])
      for (const relay of [direct, plain, proxy])
        paths.set(`${relay.name}, ${farEnd.name}`, { relay, farEnd, transfers: [] });
    for (let run = 0; run < settings.runs; run += 1)
      for (const { relay, farEnd, transfers } of paths.values())
        transfers.push(await transferFile(relay, farEnd, settings.transferBytes));
    return paths;
  } finally {
    await stack.end();
    pinSelf(null);
  }
};

const all = (path: Path | undefined, pick: (transfer: Transfer) => number): number[] =>
  (path?.transfers ?? []).map(pick);
const speedOf = (path: Path | undefined): number[] => all(path, (transfer) => transfer.megabytesPerSecond);
const costOf = (path: Path | undefined): number[] => all(path, (transfer) => transfer.relayCpuPerGigabyte);

const print = (title: string, paths: ReadonlyMap<string, Path>): void => {
  console.log(`\n${title}: MB/s · relay CPU-s/GB · far end CPU-s/GB`);
  for (const [name, path] of paths) {
    const farEnd = all(path, (transfer) => transfer.farEndCpuPerGigabyte);
    console.log(`  ${name.padEnd(32)} ${spread(speedOf(path), 0)} · ${spread(costOf(path), 2)} · ${spread(farEnd, 1)}`);
  }
};

/** `cat` of a file in a real terminal: what a gigabyte costs, and how fast it comes. */
export const transferFigures = async (options: Options): Promise<Figure[]> => {
  const megabytes = settings.transferBytes / 1e6;
  const pinned = await measure(options, true);
  print(`${megabytes} MB, relay alone on a core`, pinned);
  const free = await measure(options, false);
  print(`${megabytes} MB, two cores for all`, free);
  const figures: Figure[] = [];
  for (const farEnd of options.hasTtyd ? ['terminal server', 'ttyd'] : ['terminal server']) {
    const [proxyCost, plainCost] = [
      costOf(pinned.get(`ws-proxy, ${farEnd}`)),
      costOf(pinned.get(`plain relay, ${farEnd}`)),
    ];
    figures.push(
      {
        name: `proxy CPU per GB of PTY flood, ${farEnd} behind it`,
        value: medianOf(proxyCost),
        unit: 'CPU-s',
        digits: 2,
        atMost: 0.8,
        conditions: `${megabytes} MB, relay alone on a core, ${spread(proxyCost, 2)}; plain relay ${spread(plainCost, 2)}`,
      },
      {
        name: `the same against the plain relay, ${farEnd} behind both`,
        value: medianOf(proxyCost) / medianOf(plainCost),
        unit: '×',
        digits: 2,
        atMost: 0.25,
        conditions: 'ratio of the medians',
      },
    );
  }
  if (!options.hasTtyd) return figures;
  const ours = speedOf(free.get('ws-proxy, terminal server'));
  const ttydDirect = speedOf(free.get('direct, ttyd'));
  const plainTtyd = speedOf(free.get('plain relay, ttyd'));
  const conditions = `${megabytes} MB compared byte for byte, two cores for all; ours ${spread(ours, 0)} MB/s`;
  return [
    ...figures,
    {
      name: 'proxy and terminal server against ttyd direct',
      value: medianOf(ours) / medianOf(ttydDirect),
      unit: '×',
      digits: 2,
      atLeast: 0.95,
      conditions: `${conditions}; ttyd direct ${spread(ttydDirect, 0)}`,
    },
    {
      name: 'proxy and terminal server against the plain relay before ttyd',
      value: medianOf(ours) / medianOf(plainTtyd),
      unit: '×',
      digits: 2,
      atLeast: 1,
      conditions: `${conditions}; plain relay before ttyd ${spread(plainTtyd, 0)}`,
    },
  ];
};
