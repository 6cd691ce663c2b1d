import { sql } from 'kysely';
import type { DatabaseOrTransaction } from '../../db/database.ts';
import type { InviteRow } from '../../db/tables.ts';

export const insertLink = (
  db: DatabaseOrTransaction,
  link: Pick<InviteRow, 'kind' | 'secret_hash' | 'email' | 'role' | 'invited_by' | 'expires_at'>,
): Promise<InviteRow> => db.insertInto('invites').values(link).returningAll().executeTakeFirstOrThrow();

const usableLinks = (db: DatabaseOrTransaction, kind: InviteRow['kind']) =>
  db
    .selectFrom('invites')
    .where('kind', '=', kind)
    .where('used_at', 'is', null)
    .where('expires_at', '>', sql<Date>`now()`);

export const findUsableLink = (
  db: DatabaseOrTransaction,
  kind: InviteRow['kind'],
  secretHash: Buffer,
): Promise<(InviteRow & { inviter: string | null }) | undefined> =>
  usableLinks(db, kind)
    .leftJoin('users', 'users.id', 'invites.invited_by')
    .selectAll('invites')
    .select('users.display_name as inviter')
    .where('secret_hash', '=', secretHash)
    .executeTakeFirst();

/** Uses a link up, atomically: of two attempts at once one gets undefined. */
export const redeemLink = (
  db: DatabaseOrTransaction,
  kind: InviteRow['kind'],
  secretHash: Buffer,
): Promise<InviteRow | undefined> =>
  db
    .updateTable('invites')
    .set({ used_at: sql<Date>`now()` })
    .where('kind', '=', kind)
    .where('secret_hash', '=', secretHash)
    .where('used_at', 'is', null)
    .where('expires_at', '>', sql<Date>`now()`)
    .returningAll()
    .executeTakeFirst();

export const noteLinkUser = async (db: DatabaseOrTransaction, linkId: string, userId: string): Promise<void> => {
  await db.updateTable('invites').set({ used_by: userId }).where('id', '=', linkId).execute();
};

export const deleteUnusedAdminLinks = async (db: DatabaseOrTransaction): Promise<void> => {
  await db.deleteFrom('invites').where('kind', '=', 'admin').where('used_at', 'is', null).execute();
};

export const listInvites = (db: DatabaseOrTransaction): Promise<(InviteRow & { inviter: string | null })[]> =>
  usableLinks(db, 'invite')
    .leftJoin('users', 'users.id', 'invites.invited_by')
    .selectAll('invites')
    .select('users.display_name as inviter')
    .orderBy('invites.id', 'desc')
    .limit(1_000)
    .execute();

export const countInvites = async (db: DatabaseOrTransaction): Promise<number> =>
  Number(
    (
      await usableLinks(db, 'invite')
        .select((eb) => eb.fn.countAll<string>().as('count'))
        .executeTakeFirstOrThrow()
    ).count,
  );

export const deleteInvite = async (db: DatabaseOrTransaction, id: string): Promise<boolean> =>
  (
    await db
      .deleteFrom('invites')
      .where('id', '=', id)
      .where('kind', '=', 'invite')
      .where('used_at', 'is', null)
      .executeTakeFirst()
  ).numDeletedRows === 1n;

export const deleteInvitesBy = async (db: DatabaseOrTransaction, userId: string): Promise<void> => {
  await db
    .deleteFrom('invites')
    .where('invited_by', '=', userId)
    .where('kind', '=', 'invite')
    .where('used_at', 'is', null)
    .execute();
};
