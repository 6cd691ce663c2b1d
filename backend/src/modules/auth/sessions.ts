import type { AuthSession } from '@sac/contracts';
import type { Transaction } from 'kysely';
import type { Logger } from 'pino';
import type { Keys } from '../../config/keys.ts';
import { readClock } from '../../db/clock.ts';
import type { Database, DatabaseOrTransaction } from '../../db/database.ts';
import type { AuthSessionRow, Tables, UserRow } from '../../db/tables.ts';
import { inTransaction } from '../../db/transaction.ts';
import { notFound } from '../../lib/app-error.ts';
import { deriveKey } from '../../lib/secrets.ts';
import { recordAudit, type Origin } from '../audit/record.ts';
import { newestEventId } from '../events/newest-event.ts';
import { presentUser } from '../users/presenter.ts';
import { signAccessToken, verifyAccessToken } from './access-token.ts';
import {
  createRefresh,
  SESSION_IDLE_MS,
  signedOut,
  type Browser,
  type OpenedSession,
  type Refresh,
} from './refresh.ts';
import { cookieValue, familyHash, newFamily, refreshSecret, type RefreshToken } from './refresh-token.ts';
import * as repository from './repository.ts';

const MAX_SESSIONS_PER_USER = 50;
const TOUCH_INTERVAL_MS = 60_000;

export interface Caller {
  readonly id: string;
  readonly username: string;
  readonly role: UserRow['role'];
  readonly authSessionId: string;
  readonly tokenExpiresAt: Date;
}

export interface SessionsService extends Refresh {
  /** Throws AppError `unauthenticated` unless token, browser session and account all hold at this moment. */
  authenticate(accessToken: string): Promise<Caller>;
  /** Whether the caller's browser session still holds; for what outlives a request. */
  isLive(caller: Pick<Caller, 'id' | 'authSessionId'>): Promise<boolean>;
  /** The clock that `endedSince` goes by, epoch milliseconds. */
  clock(): Promise<number>;
  /** Ids of browser sessions that were ended since then, newest first. */
  endedSince(since: Date, limit: number): Promise<string[]>;
  open(trx: Transaction<Tables>, user: UserRow, browser: Browser): Promise<OpenedSession>;
  list(caller: Caller): Promise<AuthSession[]>;
  revoke(caller: Caller, authSessionId: string, origin: Origin): Promise<void>;
  /** Ends all sessions of a user; for sign-out everywhere, and for accounts that are disabled or change their role. */
  revokeAll(trx: DatabaseOrTransaction, userId: string, reason: repository.RevokeReason): Promise<void>;
}

interface Deps {
  readonly db: Database;
  readonly keys: Keys;
  readonly logger: Pick<Logger, 'warn'>;
  readonly now?: () => Date;
}

export const createSessionsService = (deps: Deps): SessionsService => {
  const now = deps.now ?? (() => new Date());
  const refreshKey = deriveKey(deps.keys.master, 'refresh-token');

  const hand = async (
    trx: Transaction<Tables>,
    user: UserRow,
    session: AuthSessionRow,
    token: RefreshToken,
  ): Promise<OpenedSession> => {
    const claims = { userId: user.id, authSessionId: session.id, tokenVersion: user.token_version };
    const access = signAccessToken(deps.keys.accessToken, claims, now());
    return {
      cookie: cookieValue(refreshKey, token),
      signedIn: {
        user: presentUser(user),
        accessToken: access.token,
        accessTokenExpiresAt: access.expiresAt.toISOString(),
        refreshSecret: refreshSecret(refreshKey, token.family),
        lastEventId: await newestEventId(trx, user.id),
      },
    };
  };

  const authenticate: SessionsService['authenticate'] = async (accessToken) => {
    const claims = verifyAccessToken(deps.keys.accessToken, accessToken, now());
    const principal = await repository.findPrincipal(deps.db, claims);
    if (principal === undefined) throw signedOut();
    // Once a minute is exact enough for "last seen" and spares a write per request.
    if (now().getTime() - principal.last_used_at.getTime() > TOUCH_INTERVAL_MS) await repository.touch(deps.db, claims);
    const { id, username, role } = principal;
    return { id, username, role, authSessionId: claims.authSessionId, tokenExpiresAt: claims.expiresAt };
  };

  const open: SessionsService['open'] = async (trx, user, browser) => {
    const token = { family: newFamily(), counter: 1 };
    const session = await repository.insertAuthSession(trx, {
      user_id: user.id,
      family_hash: familyHash(token.family),
      user_agent: browser.userAgent.slice(0, 200),
      ip: browser.ip.slice(0, 64),
      expires_at: new Date(now().getTime() + SESSION_IDLE_MS),
    });
    await repository.touch(trx, { userId: user.id, authSessionId: session.id });
    await repository.revokeAuthSessions(trx, { userId: user.id, keepNewest: MAX_SESSIONS_PER_USER }, 'too_many');
    return hand(trx, user, session, token);
  };

  const { refresh, signOut } = createRefresh({ ...deps, refreshKey, hand });

  const list: SessionsService['list'] = async (caller) => {
    const rows = await repository.listAuthSessions(deps.db, caller.id);
    return rows.map((row) => ({
      id: row.id,
      userAgent: row.user_agent,
      ip: row.ip,
      createdAt: row.created_at.toISOString(),
      lastUsedAt: row.last_used_at.toISOString(),
      current: row.id === caller.authSessionId,
    }));
  };

  const revoke: SessionsService['revoke'] = async (caller, authSessionId, origin) => {
    const filter = { userId: caller.id, id: authSessionId };
    await inTransaction(deps.db, async (trx) => {
      if ((await repository.revokeAuthSessions(trx, filter, 'signed_out_elsewhere')) === 0)
        throw notFound('This browser session');
      const target = { type: 'auth_session', id: authSessionId };
      await recordAudit(trx, { action: 'auth.session_revoked', actorId: caller.id, target, origin });
    });
  };

  const revokeAll: SessionsService['revokeAll'] = async (trx, userId, reason) => {
    await repository.revokeAuthSessions(trx, { userId }, reason);
    await repository.growTokenVersion(trx, userId);
  };

  const isLive: SessionsService['isLive'] = ({ id, authSessionId }) =>
    repository.isSessionLive(deps.db, { userId: id, authSessionId });

  const endedSince: SessionsService['endedSince'] = (since, limit) => repository.revokedSince(deps.db, since, limit);

  const clock: SessionsService['clock'] = () => readClock(deps.db);

  return { authenticate, isLive, clock, endedSince, open, refresh, signOut, list, revoke, revokeAll };
};
