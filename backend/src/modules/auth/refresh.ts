import type { SignedIn } from '@sac/contracts';
import type { Transaction } from 'kysely';
import type { Logger } from 'pino';
import { readClock } from '../../db/clock.ts';
import type { Database } from '../../db/database.ts';
import type { AuthSessionRow, Tables, UserRow } from '../../db/tables.ts';
import { inTransaction } from '../../db/transaction.ts';
import { AppError } from '../../lib/app-error.ts';
import { recordAudit, type Origin } from '../audit/record.ts';
import { familyHash, parseRefreshToken, type RefreshToken } from './refresh-token.ts';
import * as repository from './repository.ts';

/** A browser that is not seen for so long signs in again. */
export const SESSION_IDLE_MS = 30 * 24 * 3_600_000;
/**
 * So long after a rotation the token before it still answers, with the very token that replaced it, and
 * the newest one is not rotated again. Two tabs, or a reload in the middle, then never look like theft.
 */
export const REFRESH_GRACE_MS = 10_000;

export interface Browser extends Origin {
  readonly userAgent: string;
}

/** What a sign-in hands out: the answer for the page and the value of the HttpOnly cookie. */
export interface OpenedSession {
  readonly signedIn: SignedIn;
  readonly cookie: string;
}

export interface Refresh {
  /** Throws AppError `unauthenticated`. A token that was replaced more than ten seconds ago ends its whole session. */
  refresh(halves: { readonly cookie: string; readonly secret: string }, origin: Origin): Promise<OpenedSession>;
  /** Ends the session of the token, if it is one; says nothing when it is not. */
  signOut(halves: { readonly cookie: string; readonly secret: string }, origin: Origin): Promise<void>;
}

interface Deps {
  readonly db: Database;
  readonly logger: Pick<Logger, 'warn'>;
  readonly refreshKey: Buffer;
  readonly hand: (
    trx: Transaction<Tables>,
    user: UserRow,
    session: AuthSessionRow,
    token: RefreshToken,
  ) => Promise<OpenedSession>;
}

type Outcome = { readonly kind: 'opened'; readonly session: OpenedSession } | { readonly kind: 'refused' };

export const signedOut = (): AppError => new AppError('unauthenticated', 'This browser is signed out. Sign in again.');

export const createRefresh = (deps: Deps): Refresh => {
  const { hand, refreshKey } = deps;

  const reused = async (trx: Transaction<Tables>, session: AuthSessionRow, origin: Origin): Promise<Outcome> => {
    await repository.revokeAuthSessions(trx, { userId: session.user_id, id: session.id }, 'reuse');
    const target = { type: 'auth_session', id: session.id };
    await recordAudit(trx, { action: 'auth.refresh_reused', actorId: session.user_id, target, origin });
    deps.logger.warn(
      { userId: session.user_id, authSessionId: session.id },
      'refresh token was used twice; its session is ended',
    );
    return { kind: 'refused' };
  };

  const refreshIn = async (trx: Transaction<Tables>, token: RefreshToken, origin: Origin): Promise<Outcome> => {
    const session = await repository.lockAuthSessionByFamily(trx, familyHash(token.family));
    // One clock for all replicas: by their own, minutes apart, a second tab would look like theft.
    const nowMs = await readClock(trx);
    if (session === undefined || session.revoked_at !== null || session.expires_at.getTime() <= nowMs)
      return { kind: 'refused' };
    const user = await repository.findUserById(trx, session.user_id);
    if (user === undefined || user.status !== 'active') return { kind: 'refused' };

    const newest = session.refresh_counter;
    const justRotated = nowMs - session.rotated_at.getTime() <= REFRESH_GRACE_MS;
    const isNewest = token.counter === newest;
    if (!isNewest && !(justRotated && token.counter === newest - 1)) return reused(trx, session, origin);
    const opened = async (counter: number): Promise<Outcome> => ({
      kind: 'opened',
      session: await hand(trx, user, session, { family: token.family, counter }),
    });
    if (justRotated) return opened(newest);

    const expiresAt = new Date(nowMs + SESSION_IDLE_MS);
    await repository.rotateAuthSession(trx, session.id, { counter: newest + 1, expiresAt, now: new Date(nowMs) });
    return opened(newest + 1);
  };

  const refresh: Refresh['refresh'] = async ({ cookie, secret }, origin) => {
    const token = parseRefreshToken(refreshKey, cookie, secret);
    if (token === null) throw signedOut();
    // Refusals are returned, not thrown, inside: throwing would roll the revocation back.
    const outcome = await inTransaction(deps.db, (trx) => refreshIn(trx, token, origin));
    if (outcome.kind === 'refused') throw signedOut();
    return outcome.session;
  };

  const signOut: Refresh['signOut'] = async ({ cookie, secret }, origin) => {
    const token = parseRefreshToken(refreshKey, cookie, secret);
    if (token === null) return;
    await inTransaction(deps.db, async (trx) => {
      const session = await repository.lockAuthSessionByFamily(trx, familyHash(token.family));
      if (session === undefined || session.revoked_at !== null) return;
      await repository.revokeAuthSessions(trx, { userId: session.user_id, id: session.id }, 'signed_out');
      await recordAudit(trx, { action: 'auth.signed_out', actorId: session.user_id, origin });
    });
  };

  return { refresh, signOut };
};
