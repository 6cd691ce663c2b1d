import type { Server } from 'node:http';
import type { Socket } from 'node:net';
import type { Logger } from 'pino';

const SAY_EVERY_MS = 60_000;

export interface ConnectionLimits {
  /** Open connections of one remote address. Those of a Unix socket have none, and are bound by the total alone. */
  readonly perAddress: number;
  readonly total: number;
  /** Which one this is, for the log. */
  readonly listener: 'public' | 'internal';
}

/** Ends connections beyond the limits as they are opened, before anything of them is read; says so once a minute. */
export const limitConnections = (
  server: Server,
  { perAddress, total, listener }: ConnectionLimits,
  logger: Logger,
): void => {
  const openOf = new Map<string, number>();
  let saidAtMs = -Infinity;
  const say = (address: string | undefined, limit: number): void => {
    if (performance.now() - saidAtMs < SAY_EVERY_MS) return;
    saidAtMs = performance.now();
    logger.warn({ address, limit }, `too many connections to the ${listener} listener; further ones are closed`);
  };
  server.maxConnections = total;
  server.on('drop', (dropped) => say(dropped?.remoteAddress, total));
  server.on('connection', (socket: Socket) => {
    const address = socket.remoteAddress;
    if (address === undefined) return;
    const open = openOf.get(address) ?? 0;
    if (open >= perAddress) {
      say(address, perAddress);
      socket.destroy();
      return;
    }
    openOf.set(address, open + 1);
    socket.once('close', () => {
      const left = (openOf.get(address) ?? 1) - 1;
      if (left > 0) openOf.set(address, left);
      else openOf.delete(address);
    });
  });
};
