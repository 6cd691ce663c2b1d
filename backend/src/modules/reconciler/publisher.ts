import { createHash } from 'node:crypto';
import type { Database } from '../../db/database.ts';
import { inTransaction } from '../../db/transaction.ts';
import { canonicalJson } from '../../lib/agent-keys.ts';
import { findAgentRecord } from '../agents/records.ts';
import { presentAgent, stateOf, type StateDeps } from '../agents/state.ts';
import { publishEvent } from '../events/publish.ts';

const digest = (value: unknown): string => createHash('sha256').update(canonicalJson(value)).digest('base64url');

/**
 * Tells the owner's browsers what an agent looks like now, if that differs from what they were told last.
 * What was told last is in the database, so a restart neither repeats nor loses a change.
 */
export const publishAgent = (deps: StateDeps & { readonly db: Database }, agentId: string): Promise<void> =>
  inTransaction(deps.db, async (trx) => {
    const before = await trx
      .selectFrom('agents')
      .select(['published_agent', 'published_terminals'])
      .where('id', '=', agentId)
      .forUpdate()
      .executeTakeFirst();
    const record = await findAgentRecord(trx, agentId);
    if (!before || !record || record.row.deleted_at) return;
    const { status, report } = stateOf(record, deps);
    const { revision, ...agent } = presentAgent(record, status);
    const terminals = report?.terminals ?? [];
    const published = { published_agent: digest(agent), published_terminals: digest(terminals) };
    const agentChanged = published.published_agent !== before.published_agent;
    const terminalsChanged = published.published_terminals !== before.published_terminals;
    if (!agentChanged && !terminalsChanged) return;
    const next = agentChanged ? revision + 1 : revision;
    const to = { userId: record.row.owner_id };
    if (agentChanged) await publishEvent(trx, to, { type: 'agent', agent: { ...agent, revision: next } });
    if (terminalsChanged) await publishEvent(trx, to, { type: 'terminals', agentId, terminals });
    const values = { ...published, published_revision: String(next) };
    await trx.updateTable('agents').set(values).where('id', '=', agentId).execute();
  });
