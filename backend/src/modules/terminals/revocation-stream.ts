import type { ServerResponse } from 'node:http';
import { internalPaths, type RevocationLine } from '@sac/contracts';
import type { FastifyInstance } from 'fastify';
import type { Logger } from 'pino';
import type { NotificationHub } from '../../db/listen.ts';
import { AppError } from '../../lib/app-error.ts';
import { equalText } from '../../lib/secrets.ts';
import { AUTH_CHANNEL, readEndedPayload } from '../auth/channel.ts';
import { createEndedReader, type EndedSessions } from './cut-ended-sessions.ts';

/** Tells ws-proxies in other pods which browser sessions have ended. */
export interface RevocationStreams {
  /** Adds the route. It checks its own credential: that of ws-proxy, no sandbox's. */
  register(internal: FastifyInstance): void;
  openCount(): number;
  /** Ends all streams; new ones end at once. */
  close(): void;
}

interface Deps {
  readonly sessions: EndedSessions;
  /** The clock that tickets are signed by, epoch milliseconds. */
  readonly ticketClock: () => Promise<number>;
  readonly notifications: NotificationHub;
  readonly logger: Pick<Logger, 'warn' | 'info'>;
  /** Any of these is accepted. */
  readonly credentials: readonly string[];
  readonly heartbeatMs?: number;
}

const HEARTBEAT_MS = 15_000;
/** Far more proxies than an installation has; each costs a query every heartbeat. */
const MAX_STREAMS = 200;
/** A proxy that reads nothing is cut off: it comes back and is told everything anew. */
const MAX_BUFFERED_BYTES = 4 * 1024 * 1024;

export const createRevocationStreams = (deps: Deps): RevocationStreams => {
  const { logger, credentials } = deps;
  const open = new Set<() => void>();
  let isClosed = false;

  const authenticate = (authorization = ''): void => {
    const given = /^Bearer (\S{1,1000})$/.exec(authorization)?.[1] ?? '';
    if (!credentials.some((credential) => equalText(credential, given)))
      throw new AppError(
        'unauthenticated',
        'This is not the credential of a terminal proxy (SAC_WS_PROXY_CREDENTIAL).',
      );
  };

  const serve = (response: ServerResponse): void => {
    const readEnded = createEndedReader(deps.sessions);
    let reading = false;
    const write = (line: RevocationLine): void => {
      if (response.destroyed || response.writableEnded) return;
      response.write(`${JSON.stringify(line)}\n`);
      if (response.writableLength > MAX_BUFFERED_BYTES) response.destroy();
    };
    const tell = (ids: readonly string[]): void => {
      if (ids.length > 0) write({ kind: 'ended', authSessions: [...ids] });
    };
    /** `current` also makes up for notifications that were lost; without a database it is not said. */
    const catchUp = async (): Promise<void> => {
      if (reading) return;
      reading = true;
      try {
        await readEnded(tell);
        write({ kind: 'clock', nowMs: await deps.ticketClock() });
        write({ kind: 'current' });
      } catch (err) {
        logger.warn({ err }, 'ended browser sessions could not be read for a terminal proxy');
        write({ kind: 'heartbeat' });
      } finally {
        reading = false;
      }
    };
    const beat = (): void => void catchUp(); // ends all its failures itself
    const unsubscribe = deps.notifications.subscribe(AUTH_CHANNEL, (payload) => {
      if (payload === null) beat();
      else tell(readEndedPayload(payload).authSessionIds);
    });
    const timer = setInterval(beat, deps.heartbeatMs ?? HEARTBEAT_MS);
    const end = (): void => {
      clearInterval(timer);
      unsubscribe();
      open.delete(end);
      response.end();
    };
    open.add(end);
    response.on('close', end);
    response.on('error', end);
    beat();
  };

  return {
    register: (internal) => {
      internal.get(internalPaths.revocations, (request, reply) => {
        authenticate(request.headers.authorization);
        if (isClosed || open.size >= MAX_STREAMS)
          throw new AppError('unavailable', 'This server is ending, or follows too many proxies. Try again.', {
            retryAfterSeconds: 1,
          });
        reply.hijack();
        if (reply.raw.destroyed) return;
        reply.raw.writeHead(200, { 'content-type': 'application/x-ndjson', 'cache-control': 'no-store' });
        serve(reply.raw);
      });
    },
    openCount: () => open.size,
    close: () => {
      isClosed = true;
      for (const end of [...open]) end();
    },
  };
};
