import { sql } from 'kysely';
import type { ServerEvent } from '@sac/contracts';
import type { DatabaseOrTransaction } from '../../db/database.ts';

export interface StoredEvent {
  readonly id: string;
  /** Written by `publishEvent` only, so the column holds what its type says. */
  readonly event: ServerEvent;
}

export const readEventsAfter = async (
  db: DatabaseOrTransaction,
  position: { readonly userId: string; readonly afterId: string },
  limit: number,
): Promise<StoredEvent[]> => {
  const rows = await db
    .selectFrom('outbox')
    .select(['id', 'event'])
    .where('user_id', '=', position.userId)
    .where('id', '>', position.afterId)
    .orderBy('id')
    .limit(limit)
    .execute();
  return rows as StoredEvent[];
};

/** Deletion goes by age, so as long as an event is there all later ones of its user are. */
export const isEventThere = async (
  db: DatabaseOrTransaction,
  position: { readonly userId: string; readonly id: string },
): Promise<boolean> =>
  (await db
    .selectFrom('outbox')
    .select('id')
    .where('id', '=', position.id)
    .where('user_id', '=', position.userId)
    .executeTakeFirst()) !== undefined;

/** Deletes old events but each user's newest: it is the position that idle browsers hold. */
export const deleteOldEvents = async (db: DatabaseOrTransaction, olderThan: Date): Promise<void> => {
  await sql`
    delete from outbox as old
    where old.created_at < ${olderThan}
      and exists (select from outbox as newer where newer.user_id = old.user_id and newer.id > old.id)
  `.execute(db);
};
