import { sql, type Insertable } from 'kysely';
import type { DatabaseOrTransaction } from '../../db/database.ts';
import type { AuthSessionRow, AuthSessionsTable, NewUser, UserRow } from '../../db/tables.ts';
import { AUTH_CHANNEL, endedPayloads, type EndedSessions } from './channel.ts';

export type RevokeReason =
  'signed_out' | 'signed_out_elsewhere' | 'reuse' | 'password_changed' | 'account_changed' | 'too_many';

export const findUserByLogin = (db: DatabaseOrTransaction, login: string): Promise<UserRow | undefined> =>
  db
    .selectFrom('users')
    .selectAll()
    // A user name holds no `@` and an address always does, so only one column can match.
    .where(loginColumn(login), '=', login)
    .executeTakeFirst();

const loginColumn = (login: string): 'email' | 'username' => (login.includes('@') ? 'email' : 'username');

/** Whether the account has had a browser session at this address lately (ended ones are kept for a month). */
export const hasSignedInFrom = async (db: DatabaseOrTransaction, login: string, ip: string): Promise<boolean> =>
  (await db
    .selectFrom('auth_sessions')
    .innerJoin('users', 'users.id', 'auth_sessions.user_id')
    .select('auth_sessions.id')
    .where(`users.${loginColumn(login)}`, '=', login)
    .where('auth_sessions.ip', '=', ip.slice(0, 64))
    .limit(1)
    .executeTakeFirst()) !== undefined;

export const findUserById = (db: DatabaseOrTransaction, id: string): Promise<UserRow | undefined> =>
  db.selectFrom('users').selectAll().where('id', '=', id).executeTakeFirst();

export const insertUser = (db: DatabaseOrTransaction, user: NewUser): Promise<UserRow> =>
  db.insertInto('users').values(user).returningAll().executeTakeFirstOrThrow();

export const updateOwnAccount = (
  db: DatabaseOrTransaction,
  id: string,
  change: { readonly display_name?: string; readonly email?: string | null },
): Promise<UserRow | undefined> =>
  db
    .updateTable('users')
    .set({ ...change, updated_at: new Date() })
    .where('id', '=', id)
    .returningAll()
    .executeTakeFirst();

/** Only when the hash is still the one that was verified: two changes at once cannot both succeed. */
export const replacePasswordHash = async (
  db: DatabaseOrTransaction,
  id: string,
  hashes: { readonly from: string | null; readonly to: string },
): Promise<boolean> => {
  const result = await db
    .updateTable('users')
    .set({ password_hash: hashes.to, updated_at: new Date() })
    .where('id', '=', id)
    .where('password_hash', 'is not distinct from', hashes.from)
    .executeTakeFirst();
  return result.numUpdatedRows === 1n;
};

export const growTokenVersion = async (db: DatabaseOrTransaction, userId: string): Promise<void> => {
  await db
    .updateTable('users')
    .set((eb) => ({ token_version: eb('token_version', '+', 1) }))
    .where('id', '=', userId)
    .execute();
};

export const hasActiveAdmin = async (db: DatabaseOrTransaction): Promise<boolean> =>
  (await db
    .selectFrom('users')
    .select('id')
    .where('role', '=', 'admin')
    .where('status', '=', 'active')
    .limit(1)
    .executeTakeFirst()) !== undefined;

export interface Principal {
  readonly id: string;
  readonly username: string;
  readonly role: UserRow['role'];
  readonly last_used_at: Date;
}

/** The account behind an access token, if token, session and account all still hold. */
export const findPrincipal = (
  db: DatabaseOrTransaction,
  claims: { readonly userId: string; readonly authSessionId: string; readonly tokenVersion: number },
): Promise<Principal | undefined> =>
  db
    .selectFrom('auth_sessions as session')
    .innerJoin('users as user', 'user.id', 'session.user_id')
    .select(['user.id', 'user.username', 'user.role', 'session.last_used_at'])
    .where('session.id', '=', claims.authSessionId)
    .where('session.user_id', '=', claims.userId)
    .where('session.revoked_at', 'is', null)
    .where('session.expires_at', '>', sql<Date>`now()`)
    .where('user.status', '=', 'active')
    .where('user.token_version', '=', claims.tokenVersion)
    .executeTakeFirst();

export const isSessionLive = async (
  db: DatabaseOrTransaction,
  ids: { readonly userId: string; readonly authSessionId: string },
): Promise<boolean> => {
  const row = await liveSessions(db, ids.userId)
    .innerJoin('users', 'users.id', 'auth_sessions.user_id')
    .select('auth_sessions.id')
    .where('auth_sessions.id', '=', ids.authSessionId)
    .where('users.status', '=', 'active')
    .executeTakeFirst();
  return row !== undefined;
};

/** Notes that account and browser were seen now. */
export const touch = async (
  db: DatabaseOrTransaction,
  ids: { readonly userId: string; readonly authSessionId: string },
): Promise<void> => {
  await db
    .updateTable('auth_sessions')
    .set({ last_used_at: sql<Date>`now()` })
    .where('id', '=', ids.authSessionId)
    .execute();
  await db
    .updateTable('users')
    .set({ last_active_at: sql<Date>`now()` })
    .where('id', '=', ids.userId)
    .execute();
};

export const insertAuthSession = (
  db: DatabaseOrTransaction,
  session: Insertable<AuthSessionsTable>,
): Promise<AuthSessionRow> => db.insertInto('auth_sessions').values(session).returningAll().executeTakeFirstOrThrow();

/** Locks the row: of two refreshes with the same token one waits and then sees what the other did. */
export const lockAuthSessionByFamily = (
  db: DatabaseOrTransaction,
  familyHash: Buffer,
): Promise<AuthSessionRow | undefined> =>
  db.selectFrom('auth_sessions').selectAll().where('family_hash', '=', familyHash).forUpdate().executeTakeFirst();

export const rotateAuthSession = async (
  db: DatabaseOrTransaction,
  id: string,
  next: { readonly counter: number; readonly expiresAt: Date; readonly now: Date },
): Promise<void> => {
  await db
    .updateTable('auth_sessions')
    .set({ refresh_counter: next.counter, rotated_at: next.now, last_used_at: next.now, expires_at: next.expiresAt })
    .where('id', '=', id)
    .execute();
};

const liveSessions = (db: DatabaseOrTransaction, userId: string) =>
  db
    .selectFrom('auth_sessions')
    .where('user_id', '=', userId)
    .where('revoked_at', 'is', null)
    .where('expires_at', '>', sql<Date>`now()`);

export const listAuthSessions = (db: DatabaseOrTransaction, userId: string): Promise<AuthSessionRow[]> =>
  liveSessions(db, userId).selectAll().orderBy('last_used_at', 'desc').orderBy('id', 'desc').limit(100).execute();

export interface RevokeFilter {
  readonly userId: string;
  /** Only this one. */
  readonly id?: string;
  /** All but this one. */
  readonly exceptId?: string;
  /** All but the most recently used ones. */
  readonly keepNewest?: number;
}

/** Ends browser sessions, and with them their event streams and terminals. Returns how many there were. */
export const revokeAuthSessions = async (
  db: DatabaseOrTransaction,
  filter: RevokeFilter,
  reason: RevokeReason,
): Promise<number> => {
  let update = db
    .updateTable('auth_sessions')
    .set({ revoked_at: sql<Date>`now()`, revoked_reason: reason })
    .where('user_id', '=', filter.userId)
    .where('revoked_at', 'is', null);
  if (filter.id !== undefined) update = update.where('id', '=', filter.id);
  if (filter.exceptId !== undefined) update = update.where('id', '!=', filter.exceptId);
  if (filter.keepNewest !== undefined) {
    const newest = liveSessions(db, filter.userId)
      .select('id')
      .orderBy('last_used_at', 'desc')
      .orderBy('id', 'desc')
      .limit(filter.keepNewest);
    update = update.where('id', 'not in', newest);
  }
  const authSessionIds = (await update.returning('id').execute()).map(({ id }) => id);
  await announceEnd(db, { userId: filter.userId, authSessionIds });
  return authSessionIds.length;
};

const announceEnd = async (db: DatabaseOrTransaction, ended: EndedSessions): Promise<void> => {
  for (const payload of endedPayloads(ended)) await sql`select pg_notify(${AUTH_CHANNEL}, ${payload})`.execute(db);
};

/** Ends browser sessions whose time is over: nobody asks for them any more, but a terminal may still be open. */
export const endExpiredSessions = async (db: DatabaseOrTransaction): Promise<void> => {
  const ended = await db
    .updateTable('auth_sessions')
    .set({ revoked_at: sql<Date>`now()` })
    .where('revoked_at', 'is', null)
    .where('expires_at', '<=', sql<Date>`now()`)
    .returning(['id', 'user_id'])
    .execute();
  for (const [userId, rows] of Map.groupBy(ended, (row) => row.user_id)) {
    await announceEnd(db, { userId, authSessionIds: rows.map(({ id }) => id) });
  }
};

/** Browser sessions that were ended since then, newest first; for who may have missed being told. */
export const revokedSince = async (db: DatabaseOrTransaction, since: Date, limit: number): Promise<string[]> => {
  const rows = await db
    .selectFrom('auth_sessions')
    .select('id')
    .where('revoked_at', '>=', since)
    .orderBy('revoked_at', 'desc')
    .limit(limit)
    .execute();
  return rows.map(({ id }) => id);
};

/** Rows that can open nothing any more; kept for a while for the audit. */
export const deleteEndedRows = async (db: DatabaseOrTransaction, olderThan: Date): Promise<void> => {
  await db
    .deleteFrom('auth_sessions')
    .where((eb) => eb.or([eb('expires_at', '<', olderThan), eb('revoked_at', '<', olderThan)]))
    .execute();
  await db.deleteFrom('invites').where('expires_at', '<', olderThan).execute();
};
