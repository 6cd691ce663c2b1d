import { isPatternAt } from './pattern.ts';
import type { FarEnd, Relay } from './parts.ts';
import { sleep } from './statistics.ts';
import { TerminalClient } from './terminal-client.ts';

export interface Stall {
  readonly growthBytes: number;
  /** Bytes that came within a second after the viewer read again, all compared. */
  readonly bytesAfter: number;
}

/** A viewer that stops reading a flood for `seconds` while `meanwhile` runs. @throws Error when a byte is wrong */
export const stallViewer = async <T>(
  { relay, farEnd, seconds }: { relay: Relay; farEnd: FarEnd; seconds: number },
  meanwhile: () => Promise<T>,
): Promise<Stall & { readonly result: T }> => {
  const { process } = relay;
  if (process === null) throw new Error('a stalled viewer is measured of a relay');
  let wrongAt: number | null = null;
  const client: TerminalClient = new TerminalClient({
    route: relay.routeTo(farEnd, 'frozen'),
    authToken: 'flood',
    onOutput: (piece) => {
      if (!isPatternAt(client.outputBytes - piece.length, piece)) wrongAt ??= client.outputBytes;
    },
  });
  try {
    await client.opened;
    await sleep(500);
    const before = process.residentBytes;
    const startedAtMs = performance.now();
    client.socket.pause();
    const result = await meanwhile();
    await sleep(Math.max(0, seconds * 1_000 - (performance.now() - startedAtMs)));
    const growthBytes = process.residentBytes - before;
    const bytesBefore = client.outputBytes;
    client.socket.resume();
    await sleep(1_000);
    if (wrongAt !== null) throw new Error(`${relay.name}: wrong bytes before ${wrongAt}`);
    return { growthBytes, bytesAfter: client.outputBytes - bytesBefore, result };
  } finally {
    client.close();
  }
};
