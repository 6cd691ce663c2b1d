import type { ServerEvent } from '@sac/contracts';
import { sql } from 'kysely';
import type { DatabaseOrTransaction } from '../../db/database.ts';

/** NOTIFY channel; the payload is `<user id>:<outbox id>`, the event itself is read from the table. */
export const OUTBOX_CHANNEL = 'sac_outbox';

/**
 * Queues an event for all browsers of one user. Inside a transaction it becomes visible, and readers are
 * woken, exactly when that commits.
 *
 * The lock makes ids of one user become visible in ascending order: without it a later id could commit
 * first, and a browser that resumes after it would never see the earlier one. One statement, so that this
 * also holds when `db` is the pool.
 */
export const publishEvent = async (
  db: DatabaseOrTransaction,
  to: { readonly userId: string },
  event: ServerEvent,
): Promise<void> => {
  const payload = JSON.stringify(event);
  await sql`
    with locked as materialized (
      select pg_advisory_xact_lock(hashtextextended('sac:outbox:' || ${to.userId}::text, 0))
    ), inserted as (
      insert into outbox (user_id, event) select ${to.userId}::bigint, ${payload}::jsonb from locked returning id
    )
    select pg_notify(${OUTBOX_CHANNEL}, ${to.userId}::text || ':' || id::text) from inserted
  `.execute(db);
};
