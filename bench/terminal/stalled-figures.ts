import type { Figure } from '../figures.ts';
import { timesOf, typeKeys } from './echo.ts';
import { floodInput } from './input-flood.ts';
import { startScripted, startTerminalServer, startWsProxy } from './parts.ts';
import { Stack } from './processes.ts';
import { settings } from './settings.ts';
import { stallViewer } from './stalled.ts';

const ECHO = ['/bin/sh', '-c', 'stty raw -echo; exec cat'];

/** A viewer that stops reading a flood, and a client that sends without end: what the proxy holds for them. */
export const stalledFigures = async (): Promise<Figure[]> => {
  const stack = new Stack();
  try {
    const relay = await startWsProxy(null);
    const farEnd = await startScripted(null);
    const server = await startTerminalServer(null, ECHO);
    for (const part of [relay, farEnd, server]) if (part.process) stack.add(part.process);
    await typeKeys(relay, server, settings.keys);
    const alone = timesOf(await typeKeys(relay, server, settings.keys));
    const stall = await stallViewer({ relay, farEnd, seconds: settings.stallSeconds }, () =>
      typeKeys(relay, server, settings.keys),
    );
    const beside = timesOf(stall.result);
    const flood = await floodInput(relay, farEnd, settings.inputFloodBytes);
    const conditions = `a flooded viewer stops reading for ${settings.stallSeconds} s`;
    return [
      {
        name: 'proxy memory for a viewer that never reads',
        value: stall.growthBytes / 1_024 ** 2,
        unit: 'MiB more',
        digits: 2,
        atMost: 1,
        conditions: `${conditions}; then reads again: ${(stall.bytesAfter / 1e6).toFixed(0)} MB in a second, no byte wrong`,
      },
      {
        name: 'key to echo beside it, p95',
        value: beside.p95Ms,
        unit: 'ms',
        digits: 2,
        atMost: Math.max(5, alone.p95Ms * 2),
        conditions: `${conditions}; before ${alone.p95Ms.toFixed(2)} ms`,
      },
      {
        name: 'proxy memory for a flood of input, highest',
        value: flood.growthBytes / 1_024 ** 2,
        unit: 'MiB more',
        digits: 1,
        atMost: 16,
        conditions: `${settings.inputFloodBytes / 1e6} MB by one client, ${flood.megabytesPerSecond.toFixed(0)} MB/s; garbage between collections included`,
      },
    ];
  } finally {
    await stack.end();
  }
};
