import type { Logger } from 'pino';
import type { NotificationHub } from '../../db/listen.ts';
import { runInBackground } from '../../lib/background.ts';
import { AUTH_CHANNEL, readEndedPayload } from '../auth/channel.ts';
import type { SessionsService } from '../auth/sessions.ts';

/** As long as a relay that lost its server lets terminals go on. */
const MISSED_AT_MOST_MS = 24 * 3_600_000;
/** Clocks of two machines, and a commit that took its time. */
const OVERLAP_MS = 60_000;
const BATCH = 1_000;
const MOST_MISSED = 100_000;

/** Reads what has ended since the last time, at the first time in the last 24 hours. */
export const createEndedReader = (sessions: Pick<SessionsService, 'endedSince'>) => {
  let seenUntil = new Date(Date.now() - MISSED_AT_MOST_MS);
  return async (tell: (authSessionIds: readonly string[]) => void): Promise<void> => {
    const now = new Date();
    const ended = await sessions.endedSince(new Date(seenUntil.getTime() - OVERLAP_MS), MOST_MISSED);
    for (let from = 0; from < ended.length; from += BATCH) tell(ended.slice(from, from + BATCH));
    seenUntil = now;
  };
};

interface Deps {
  readonly sessions: Pick<SessionsService, 'endedSince'>;
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
