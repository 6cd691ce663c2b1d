import type { Logger } from 'pino';
import type { Database } from '../../db/database.ts';
import type { Runtime } from '../../runtimes/runtime.ts';
import { STOP_GRACE_MS } from '../agents/lifetimes.ts';

/** So long an administrator has to find out why the database does not know an agent. */
const RETIRED_AFTER_MS = 24 * 60 * 60_000;
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

/**
 * Sandboxes of agents that are not in the database, as after a restore from a backup: what was made for them, what runs
 * included, goes after 24 hours. Their volumes stay, and are listed for administrators. Where there is no object to write
 * the beginning at, what runs is stopped at once; its files stay as well.
 */
export const endOrphans = async (deps: {
  readonly db: Database;
  readonly runtime: Runtime;
  readonly logger: Logger;
  readonly retiredAfterMs?: number;
}): Promise<void> => {
  const { db, runtime, logger, retiredAfterMs = RETIRED_AFTER_MS } = deps;
  const there = new Set([...runtime.observed().keys(), ...(runtime.left?.agentUids() ?? [])]);
  const unknown = new Set(await unknownOf(db, [...there]));
  // A database that was restored, and knows them again.
  for (const agentUid of there) if (!unknown.has(agentUid)) await runtime.left?.keep(agentUid);
  for (const agentUid of unknown) {
    const outcome = await runtime.left?.retire(agentUid, retiredAfterMs);
    if (outcome === 'removed') logger.warn({ agentUid }, 'what was left of an agent that does not exist is removed');
    if (outcome === 'waiting' || outcome === 'removed') continue;
    const state = runtime.observed().get(agentUid)?.state ?? 'gone';
    if (state !== 'gone' && state !== 'stopping') {
      logger.warn({ agentUid }, 'a sandbox runs for an agent that does not exist; it is stopped');
      await runtime.stop(agentUid, { graceMs: STOP_GRACE_MS });
    }
  }
};
