import type { Figure } from '../figures.ts';
import { measureCapacity, type Capacity } from './capacity.ts';
import { startPlainRelay, startScripted, startWsProxy, type Relay } from './parts.ts';
import { pinSelf } from './pinning.ts';
import { settings } from './settings.ts';
import { medianOf, spread } from './statistics.ts';

/** Each run has fresh processes: memory that an earlier run left behind would hide what a connection needs. */
const measureOnce = async (start: (core: number | null) => Promise<Relay>): Promise<Capacity> => {
  const relay = await start(settings.relayCore);
  const farEnd = await startScripted(settings.restCore);
  try {
    return await measureCapacity({ relay, farEnd, count: settings.terminals, seconds: settings.capacitySeconds });
  } finally {
    await relay.process?.end();
    await farEnd.process.end();
  }
};

const print = (name: string, runs: readonly Capacity[]): void => {
  const of = (pick: (capacity: Capacity) => number, digits: number): string => spread(runs.map(pick), digits);
  console.log(
    `  ${name.padEnd(12)} ${of((run) => run.terminalsPerCore, 0)} · ${of((run) => run.cores, 3)} · ` +
      `${of((run) => run.residentBytesPerConnection / 1_024, 1)} · ${of((run) => run.openMs, 0)}`,
  );
};

/** Many terminals with a little output each, every byte compared. */
export const capacityFigures = async (): Promise<Figure[]> => {
  const ours: Capacity[] = [];
  const plain: Capacity[] = [];
  pinSelf(settings.restCore);
  try {
    for (let run = 0; run < Math.ceil(settings.runs / 2); run += 1) {
      ours.push(await measureOnce(startWsProxy));
      plain.push(await measureOnce(startPlainRelay));
    }
  } finally {
    pinSelf(null);
  }
  console.log(`\n${settings.terminals} terminals: per core · cores · KiB each · ms to open all`);
  print('ws-proxy', ours);
  print('plain relay', plain);
  const [perCore, plainPerCore] = [ours, plain].map((runs) => medianOf(runs.map((run) => run.terminalsPerCore)));
  const conditions = `${settings.terminals} terminals with 4,096 bytes each 100 ms, relay alone on a core, every byte compared`;
  return [
    { name: 'terminals per proxy core', value: perCore ?? 0, unit: '', atLeast: 6_000, conditions },
    {
      name: 'the same against the plain relay',
      value: (perCore ?? 0) / (plainPerCore ?? 1),
      unit: '×',
      digits: 2,
      atLeast: 1.5,
      conditions: `plain relay ${plainPerCore?.toFixed(0)}`,
    },
    {
      name: 'proxy memory per connection',
      value: medianOf(ours.map((run) => run.residentBytesPerConnection)) / 1_024,
      unit: 'KiB resident',
      digits: 1,
      atMost: 36,
      conditions: `${conditions}; without kernel buffers`,
    },
    {
      name: `opening all ${settings.terminals}, worst`,
      value: Math.max(...ours.map((run) => run.openMs)),
      unit: 'ms',
      atMost: 2_000,
      conditions:
        'ticket check, connection to the terminal server and 101 each; 200 handshakes at a time; quiet terminals',
    },
  ];
};
