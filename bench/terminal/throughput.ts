import { isPatternAt } from './pattern.ts';
import type { FarEnd, Relay } from './parts.ts';
import { sleep } from './statistics.ts';
import { TerminalClient } from './terminal-client.ts';

const SETTLE_MS = 500;
const TIMEOUT_MS = 120_000;

export interface Transfer {
  readonly megabytesPerSecond: number;
  /** CPU-seconds per 10^9 bytes of PTY output. */
  readonly relayCpuPerGigabyte: number;
  readonly farEndCpuPerGigabyte: number;
}

/**
 * The file of `byteCount` pattern bytes that the far end's shell shows for each line it reads, compared byte for byte.
 * @throws Error at the first byte that differs, or when not everything came within 120 s
 */
export const transferFile = async (relay: Relay, farEnd: FarEnd, byteCount: number): Promise<Transfer> => {
  const done = Promise.withResolvers<void>();
  const client: TerminalClient = new TerminalClient({
    route: relay.routeTo(farEnd),
    extension: farEnd.bearer !== null,
    onOutput: (piece) => {
      if (!isPatternAt(client.outputBytes - piece.length, piece))
        done.reject(new Error(`${relay.name}: wrong bytes before ${client.outputBytes}`));
      if (client.outputBytes >= byteCount) done.resolve();
    },
    onClose: () => done.reject(new Error(`${relay.name}: closed after ${client.outputBytes} of ${byteCount} bytes`)),
  });
  const timer = setTimeout(
    () => done.reject(new Error(`${relay.name}: ${client.outputBytes} bytes in 120 s`)),
    TIMEOUT_MS,
  );
  try {
    await client.opened;
    await sleep(SETTLE_MS);
    const before = [relay.process?.cpuSeconds ?? 0, farEnd.process.cpuSeconds] as const;
    const startedAtMs = performance.now();
    client.type('\n');
    await done.promise;
    const seconds = (performance.now() - startedAtMs) / 1_000;
    if (client.outputBytes !== byteCount) throw new Error(`${client.outputBytes - byteCount} bytes too many`);
    return {
      megabytesPerSecond: byteCount / 1e6 / seconds,
      relayCpuPerGigabyte: (((relay.process?.cpuSeconds ?? 0) - before[0]) / byteCount) * 1e9,
      farEndCpuPerGigabyte: ((farEnd.process.cpuSeconds - before[1]) / byteCount) * 1e9,
    };
  } finally {
    clearTimeout(timer);
    done.promise.catch(() => undefined);
    client.close();
    await sleep(SETTLE_MS / 2);
  }
};
