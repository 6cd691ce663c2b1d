import type { Logger } from 'pino';
import type { NotificationHub } from '../../db/listen.ts';
import { runInBackground } from '../../lib/background.ts';
import { AUTH_CHANNEL, readEndedPayload } from '../auth/channel.ts';
import type { SessionsService } from '../auth/sessions.ts';

/** As long as a relay that lost its server lets terminals go on. */
const MISSED_AT_MOST_MS = 24 * 3_600_000;
/** A commit that took its time. */
const OVERLAP_MS = 60_000;
const BATCH = 1_000;
const MOST_MISSED = 100_000;

export type EndedSessions = Pick<SessionsService, 'endedSince' | 'clock'>;

/** Reads what has ended since the last time, at the first time in the last 24 hours. */
export const createEndedReader = (sessions: EndedSessions) => {
  let seenUntilMs: number | null = null;
  return async (tell: (authSessionIds: readonly string[]) => void): Promise<void> => {
    const nowMs = await sessions.clock();
    const sinceMs = (seenUntilMs ?? nowMs - MISSED_AT_MOST_MS) - OVERLAP_MS;
    const ended = await sessions.endedSince(new Date(sinceMs), MOST_MISSED);
    for (let from = 0; from < ended.length; from += BATCH) tell(ended.slice(from, from + BATCH));
    seenUntilMs = nowMs;
  };
};

interface Deps {
  readonly sessions: EndedSessions;
  readonly notifications: NotificationHub;
  readonly logger: Logger;
  readonly revokeTerminals: (authSessionIds: readonly string[]) => void;
}

/**
 * Cuts the terminals of browser sessions that end. A notification may be missed while this process or the database
 * is away, so whenever that is possible all that ended meanwhile are cut again, which does no harm. Returns the end of it.
 */
export const cutEndedSessions = ({ sessions, notifications, logger, revokeTerminals }: Deps): (() => void) => {
  const readEnded = createEndedReader(sessions);
  return notifications.subscribe(AUTH_CHANNEL, (payload) => {
    if (payload === null)
      runInBackground(logger, 'cutting terminals of ended browser sessions', () => readEnded(revokeTerminals));
    else revokeTerminals(readEndedPayload(payload).authSessionIds);
  });
};
