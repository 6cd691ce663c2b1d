import type { ServerEvent } from '@sac/contracts';
import { sql } from 'kysely';
import type { DatabaseOrTransaction } from '../../db/database.ts';

/** More than a browser that comes back is ever told one by one; beyond it the oldest are deleted. */
export const KEPT_EVENTS = 1_000;
export const KEPT_BYTES = 4 * 1024 * 1024;
/** What an agent's instructions and environment may take in an event; above that the page asks for them. */
const CONFIGURATION_BYTES = 8 * 1024;

/** NOTIFY channel; the payload is `<user id>:<outbox id>`, the event itself is read from the table. */
export const OUTBOX_CHANNEL = 'sac_outbox';

/**
 * An agent is told of many times in each of its conversations, its configuration hardly ever changes and may have a
 * quarter of a megabyte. Pages of the version before this one miss it in the editor until they are loaded anew, as they
 * offer after an upgrade: so it is left out only where it is large.
 */
const withoutLargeParts = (event: ServerEvent): ServerEvent => {
  if (event.type !== 'agent') return event;
  const { instructions, environment, ...agent } = event.agent;
  const isLarge = Buffer.byteLength(JSON.stringify([instructions, environment])) > CONFIGURATION_BYTES;
  return isLarge ? { type: 'agent', agent } : event;
};

/**
 * Queues an event for all browsers of one user. Inside a transaction it becomes visible, and readers are
 * woken, exactly when that commits.
 *
 * The lock makes ids of one user become visible in ascending order: without it a later id could commit
 * first, and a browser that resumes after it would never see the earlier one. One statement, so that this
 * also holds when `db` is the pool.
 *
 * The same statement deletes what the user has too much of. What somebody else is just deleting is left to them:
 * waiting for it could be a deadlock.
 */
export const publishEvent = async (
  db: DatabaseOrTransaction,
  to: { readonly userId: string },
  event: ServerEvent,
): Promise<void> => {
  const payload = JSON.stringify(withoutLargeParts(event));
  await sql`
    with locked as materialized (
      select pg_advisory_xact_lock(hashtextextended('sac:outbox:' || ${to.userId}::text, 0))
    ), inserted as (
      insert into outbox (user_id, event) select ${to.userId}::bigint, ${payload}::jsonb from locked returning id, bytes
    ), before as (
      select id, row_number() over newest as place, sum(bytes) over newest as bytes
        from (select id, bytes from outbox where user_id = ${to.userId}::bigint order by id desc limit ${KEPT_EVENTS}) as kept
      window newest as (order by id desc)
    ), trimmed as (
      delete from outbox where id in (
        select id from outbox
         where user_id = ${to.userId}::bigint and id <= (
           select max(before.id) from before, inserted
            where before.place >= ${KEPT_EVENTS} or before.bytes + inserted.bytes > ${KEPT_BYTES}
         )
           for update skip locked
      )
    )
    select pg_notify(${OUTBOX_CHANNEL}, ${to.userId}::text || ':' || id::text) from inserted
  `.execute(db);
};
