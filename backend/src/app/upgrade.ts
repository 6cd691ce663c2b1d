import type { IncomingMessage, Server } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Logger } from 'pino';
import { refuse, type Refusal } from '../lib/refusal.ts';
import type { GatewayDeps } from './gateway-deps.ts';

const NOT_HERE: Refusal = { code: 'not_found', message: 'There is no WebSocket at this address.' };

/** Upgrades below `/ws/` go to the terminal path; all others get a plain HTTP refusal. */
export const handleUpgrades = (
  server: Server,
  handUpgrade: GatewayDeps['handUpgrade'],
  logger: Pick<Logger, 'debug'>,
): void => {
  server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    // Node takes its own listener away with the upgrade; an unheard error would end the process. It also stops looking
    // after the socket: one that nobody ends stays open for ever, and keeps the server from closing.
    const onError = (err: Error): void => {
      logger.debug({ err }, 'socket failed while upgrading');
      socket.destroy();
    };
    socket.on('error', onError);
    if (!request.url?.startsWith('/ws/')) {
      refuse(socket, NOT_HERE);
      return;
    }
    try {
      handUpgrade(request, socket, head);
    } catch (err) {
      logger.debug({ err }, 'upgrade could not be handed over');
      socket.destroy();
    }
  });
};
