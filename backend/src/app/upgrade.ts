import type { IncomingMessage, Server } from 'node:http';
import type { Duplex } from 'node:stream';
import { randomUUID } from 'node:crypto';
import type { ErrorEnvelope } from '@sac/contracts';
import type { Logger } from 'pino';
import type { GatewayDeps } from './gateway-deps.ts';

const refuse = (socket: Duplex): void => {
  const envelope: ErrorEnvelope = {
    code: 'not_found',
    message: 'There is no WebSocket at this address.',
    requestId: randomUUID(),
  };
  const body = JSON.stringify(envelope);
  socket.end(
    `HTTP/1.1 404 Not Found\r\nconnection: close\r\ncontent-type: application/json; charset=utf-8\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  );
};

/** Upgrades below `/ws/` go to the terminal path; all others get a plain HTTP refusal. */
export const handleUpgrades = (
  server: Server,
  handUpgrade: GatewayDeps['handUpgrade'],
  logger: Pick<Logger, 'debug'>,
): void => {
  server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    // Node takes its own listener away with the upgrade; an unheard error would end the process.
    const onError = (err: Error): void => {
      logger.debug({ err }, 'socket failed while upgrading');
      socket.destroy();
    };
    socket.on('error', onError);
    if (!request.url?.startsWith('/ws/')) {
      refuse(socket);
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
