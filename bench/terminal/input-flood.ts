import { once } from 'node:events';
import { clientFrame } from '@sac/contracts';
import { frameOf } from './frame-reader.ts';
import type { FarEnd, Relay } from './parts.ts';
import { sleep } from './statistics.ts';
import { TerminalClient } from './terminal-client.ts';

const FRAME_BYTES = 60_000;
const SAMPLE_MS = 50;
/** The scripted terminal server reads these and does nothing, so that the relay is what is measured. */
const frame = frameOf(Buffer.alloc(FRAME_BYTES, clientFrame.pause), { masked: true });

export interface InputFlood {
  readonly growthBytes: number;
  readonly megabytesPerSecond: number;
}

/** One client sends `byteCount` as fast as it is taken; how much the relay's memory rose at most. */
export const floodInput = async (relay: Relay, farEnd: FarEnd, byteCount: number): Promise<InputFlood> => {
  const { process } = relay;
  if (process === null) throw new Error('a flood of input is measured of a relay');
  const client = new TerminalClient({ route: relay.routeTo(farEnd, 'pourer'), onOutput: () => undefined });
  let highest = 0;
  const timer = setInterval(() => (highest = Math.max(highest, process.residentBytes)), SAMPLE_MS);
  try {
    await client.opened;
    await sleep(500);
    const before = process.residentBytes;
    const startedAtMs = performance.now();
    for (let sent = 0; sent < byteCount; sent += frame.length)
      if (!client.socket.write(frame)) await once(client.socket, 'drain');
    const seconds = (performance.now() - startedAtMs) / 1_000;
    return {
      growthBytes: Math.max(0, highest - before),
      megabytesPerSecond: byteCount / 1e6 / seconds,
    };
  } finally {
    clearInterval(timer);
    client.close();
  }
};
