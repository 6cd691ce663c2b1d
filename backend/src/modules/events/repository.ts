import { sql } from 'kysely';
import type { ServerEvent } from '@sac/contracts';
import type { DatabaseOrTransaction } from '../../db/database.ts';

export interface StoredEvent {
  readonly id: string;
  /** Written by `publishEvent` only, so the column holds what its type says. */
  readonly event: ServerEvent;
}

export interface EventPage {
  readonly events: readonly StoredEvent[];
  readonly hasMore: boolean;
  /** What came next at this position is gone: events were missed for good, and none are given. */
  readonly isLost: boolean;
}

/** At least one event if there is any, however large it is. `afterId` 0: from the user's first one. */
export const readEventsAfter = async (
  db: DatabaseOrTransaction,
  { userId, afterId }: { readonly userId: string; readonly afterId: string },
  limits: { readonly events: number; readonly bytes: number },
): Promise<EventPage> => {
  const { rows } = await sql<StoredEvent & { readonly found: string; readonly follows: boolean }>`
    with following as (
      select id, event, bytes from outbox where user_id = ${userId} and id > ${afterId} order by id limit ${limits.events + 1}
    ), measured as (
      select id, event, sum(bytes) over (order by id) - bytes as bytes_before, count(*) over () as found from following
    )
    select id, event, found,
           ${afterId} = '0' or exists (select from outbox where user_id = ${userId} and id = ${afterId}) as follows
      from measured where bytes_before < ${limits.bytes} order by id limit ${limits.events}
  `.execute(db);
  const isLost = rows[0]?.follows === false;
  const events = isLost ? [] : rows.map(({ id, event }) => ({ id, event }));
  return { events, hasMore: Number(rows[0]?.found ?? 0) > rows.length, isLost };
};

/** Of each user the oldest are deleted first, so as long as an event is there all later ones of its user are. */
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
