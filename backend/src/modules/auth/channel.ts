/** NOTIFY channel; payload: the id of a user and the ids of those of the user's browser sessions that have ended. */
export const AUTH_CHANNEL = 'sac_auth';

/** A payload may have 8000 bytes; an id has at most 19 digits. */
const SESSIONS_PER_NOTIFICATION = 300;

export interface EndedSessions {
  readonly userId: string;
  readonly authSessionIds: readonly string[];
}

/** As many payloads as it takes. */
export const endedPayloads = ({ userId, authSessionIds }: EndedSessions): string[] => {
  const count = Math.ceil(authSessionIds.length / SESSIONS_PER_NOTIFICATION);
  return Array.from({ length: count }, (_value, index) => {
    const from = index * SESSIONS_PER_NOTIFICATION;
    return `${userId}:${authSessionIds.slice(from, from + SESSIONS_PER_NOTIFICATION).join(',')}`;
  });
};

export const readEndedPayload = (payload: string): EndedSessions => {
  const [userId = '', ids = ''] = payload.split(':', 2);
  return { userId, authSessionIds: ids === '' ? [] : ids.split(',') };
};
