import type { Logger } from 'pino';
import type { Database } from '../../db/database.ts';
import type { LeftObjects, Runtime } from '../../runtimes/runtime.ts';
import { STOP_GRACE_MS } from '../agents/lifetimes.ts';
import type { HealthCheck } from '../system/health-check.ts';

/** So long an administrator has to find out why the database does not know an agent. */
const RETIRED_AFTER_HOURS = 24;
const HOUR_MS = 60 * 60_000;
const BATCH = 500;
const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

const unknownOf = async (db: Database, uids: readonly string[]): Promise<string[]> => {
  const unknown: string[] = [];
  for (let from = 0; from < uids.length; from += BATCH) {
    const some = uids.slice(from, from + BATCH);
    const asked = some.filter((uid) => UUID.test(uid));
    // An empty list is no SQL.
    const rows =
      asked.length === 0 ? [] : await db.selectFrom('agents').select('uid').where('uid', 'in', asked).execute();
    const known = new Set(rows.map(({ uid }) => uid));
    unknown.push(...some.filter((uid) => !known.has(uid)));
  }
  return unknown;
};

const WHAT_BECOMES = `${RETIRED_AFTER_HOURS} hours after that was first seen it is removed, its volume stays`;

/**
 * Sandboxes of agents that are not in the database, as after a restore from a backup: what was made for them, what runs
 * included, goes after 24 hours. Their volumes stay, and are listed for administrators. Where there is no object to write
 * the beginning at, what runs is stopped at once; its files stay as well.
 */
export const endOrphans = async (deps: {
  readonly db: Database;
  readonly runtime: Runtime;
  readonly logger: Logger;
  /** Agents that the log named already, kept between the calls. */
  readonly named: Set<string>;
  readonly retiredAfterMs?: number;
}): Promise<void> => {
  const { db, runtime, logger, named, retiredAfterMs = RETIRED_AFTER_HOURS * HOUR_MS } = deps;
  const there = new Set([...runtime.observed().keys(), ...(runtime.left?.agentUids() ?? [])]);
  const unknown = new Set(await unknownOf(db, [...there]));
  // A database that was restored, and knows them again.
  for (const agentUid of there) if (!unknown.has(agentUid)) await runtime.left?.keep(agentUid);
  for (const agentUid of named) if (!unknown.has(agentUid)) named.delete(agentUid);
  for (const agentUid of unknown) {
    const outcome = await runtime.left?.retire(agentUid, retiredAfterMs);
    if (outcome === 'waiting' && !named.has(agentUid)) {
      named.add(agentUid);
      logger.warn({ agentUid }, `a sandbox belongs to no agent of the database; ${WHAT_BECOMES}`);
    }
    if (outcome === 'removed') logger.warn({ agentUid }, 'what was left of an agent that does not exist is removed');
    if (outcome === 'waiting' || outcome === 'removed') continue;
    const state = runtime.observed().get(agentUid)?.state ?? 'gone';
    if (state !== 'gone' && state !== 'stopping') {
      logger.warn({ agentUid }, 'a sandbox runs for an agent that does not exist; it is stopped');
      await runtime.stop(agentUid, { graceMs: STOP_GRACE_MS });
    }
  }
};

/** How many wait to be removed: after a restore an administrator has that long to notice. */
export const orphansCheck = (db: Database, left: Pick<LeftObjects, 'agentUids'>): HealthCheck => ({
  name: 'orphans',
  check: async () => {
    const [first, ...others] = await unknownOf(db, left.agentUids());
    if (first === undefined) return { state: 'ok', detail: 'Every sandbox belongs to an agent.', fix: null };
    const [count, belong] = [others.length + 1, others.length === 0 ? 'sandbox belongs' : 'sandboxes belong'];
    return {
      state: 'warning',
      detail: `${count} ${belong} to no agent of the database (${first}${others.length === 0 ? '' : ', …'}); of each, ${WHAT_BECOMES}.`,
      fix: 'If the database is of an older backup, restore a newer one before that; else there is nothing to do, and Admin › Volumes has the volumes.',
    };
  },
});
