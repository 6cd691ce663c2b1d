import type { OutgoingHttpHeaders, ServerResponse } from 'node:http';
import type { Logger } from 'pino';
import type { Database } from '../../db/database.ts';
import type { NotificationHub } from '../../db/listen.ts';
import { AppError } from '../../lib/app-error.ts';
import { runInBackground } from '../../lib/background.ts';
import type { AuthenticatedUser } from '../../lib/handlers.ts';
import { AUTH_CHANNEL, readEndedPayload } from '../auth/channel.ts';
import { EventStream } from './event-stream.ts';
import { OUTBOX_CHANNEL } from './publish.ts';

/** One stream per browser is normal; the rest is for browsers whose end was not noticed yet. */
const MAX_STREAMS_PER_USER = 30;

export interface EventsService {
  /** Takes the response over: headers, events and end. Throws AppError `rate_limited` when the user has too many. */
  open(request: {
    readonly user: AuthenticatedUser;
    readonly lastEventId: string | null;
    readonly headers: OutgoingHttpHeaders;
    /** Called once the stream is sure to begin; from then on errors have no other way out. */
    readonly takeOver: () => ServerResponse;
  }): Promise<void>;
  openCount(): number;
  close(): void;
}

interface Deps {
  readonly db: Database;
  readonly notifications: NotificationHub;
  readonly logger: Logger;
  readonly version: string;
  /** Since when the states of agents may be old; null: they are not. */
  readonly staleSince: () => Date | null;
  /** For tests; milliseconds. */
  readonly heartbeatMs?: number;
  /** Whether token, browser session and account of this caller still hold. */
  readonly isAllowed: (user: AuthenticatedUser) => Promise<boolean>;
}

export const createEventsService = (deps: Deps): EventsService => {
  const streams = new Map<string, Set<EventStream>>();
  const all = (): EventStream[] => [...streams.values()].flatMap((set) => [...set]);
  const recheck = (stream: EventStream): void =>
    runInBackground(deps.logger, 'event stream recheck', () => stream.recheck());

  const unsubscribe = [
    deps.notifications.subscribe(OUTBOX_CHANNEL, (payload) => {
      const woken = payload === null ? all() : (streams.get(payload.split(':', 1)[0] ?? '') ?? []);
      for (const stream of woken) stream.wake();
    }),
    deps.notifications.subscribe(AUTH_CHANNEL, (payload) => {
      const woken = payload === null ? all() : (streams.get(readEndedPayload(payload).userId) ?? []);
      for (const stream of woken) recheck(stream);
    }),
  ];

  const track = (stream: EventStream, response: ServerResponse): void => {
    const own = streams.get(stream.userId) ?? new Set();
    streams.set(stream.userId, own.add(stream));
    response.once('close', () => {
      own.delete(stream);
      if (own.size === 0 && streams.get(stream.userId) === own) streams.delete(stream.userId);
    });
  };

  const open: EventsService['open'] = async ({ user, lastEventId, takeOver, headers }) => {
    if ((streams.get(user.id)?.size ?? 0) >= MAX_STREAMS_PER_USER) {
      const message = `This account has ${MAX_STREAMS_PER_USER} event streams open, the most there may be. Close some browsers.`;
      throw new AppError('rate_limited', message, { retryAfterSeconds: 30 });
    }
    const response = takeOver();
    // Gone while it was asked who is calling: its end has been told and is not told again.
    if (response.destroyed) return;
    const stream = new EventStream({
      db: deps.db,
      logger: deps.logger,
      response,
      userId: user.id,
      lastEventId,
      version: deps.version,
      staleSince: deps.staleSince,
      ...(deps.heartbeatMs !== undefined && { heartbeatMs: deps.heartbeatMs }),
      isAllowed: () => deps.isAllowed(user),
      expiresAt: user.tokenExpiresAt,
    });
    track(stream, response);
    // `x-accel-buffering`: nginx would otherwise collect events before it passes them on.
    const own = {
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-cache, no-transform',
      'x-accel-buffering': 'no',
    };
    response.writeHead(200, { ...headers, ...own });
    await stream.start().catch((err: unknown) => {
      deps.logger.warn({ err, userId: user.id }, 'event stream could not start');
      stream.end();
    });
    // Between authentication and tracking the session may have ended unnoticed.
    recheck(stream);
  };

  return {
    open,
    openCount: () => all().length,
    close() {
      for (const leave of unsubscribe) leave();
      for (const stream of all()) stream.end();
    },
  };
};
