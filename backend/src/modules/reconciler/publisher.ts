import { createHash } from 'node:crypto';
import type { Database } from '../../db/database.ts';
import { inTransaction } from '../../db/transaction.ts';
import { canonicalJson } from '../../lib/agent-keys.ts';
import { findAgentRecord, type AgentRecord } from '../agents/records.ts';
import { presentAgent, stateOf, type AgentState, type StateDeps } from '../agents/state.ts';
import { publishEvent } from '../events/publish.ts';

const digest = (value: unknown): string => createHash('sha256').update(canonicalJson(value)).digest('base64url');

/** What its owner's browsers are told of an agent, and what tells whether they were told so already. */
const publicationOf = (record: AgentRecord, { status, report }: AgentState) => {
  const { revision, ...agent } = presentAgent(record, status);
  const terminals = report?.terminals ?? [];
  const digests = { published_agent: digest(agent), published_terminals: digest(terminals) };
  return { revision, agent, terminals, digests };
};

type Published = Pick<AgentRecord['row'], 'published_agent' | 'published_terminals'>;
const isSame = (left: Published, right: Published): boolean =>
  left.published_agent === right.published_agent && left.published_terminals === right.published_terminals;

/** Nobody has to be told anything of this agent. */
export const isPublished = (record: AgentRecord, state: AgentState): boolean =>
  isSame(record.row, publicationOf(record, state).digests);

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
    const { revision, agent, terminals, digests } = publicationOf(record, stateOf(record, deps));
    if (isSame(digests, before)) return;
    const agentChanged = digests.published_agent !== before.published_agent;
    const terminalsChanged = digests.published_terminals !== before.published_terminals;
    const next = agentChanged ? revision + 1 : revision;
    const to = { userId: record.row.owner_id };
    if (agentChanged) await publishEvent(trx, to, { type: 'agent', agent: { ...agent, revision: next } });
    if (terminalsChanged) await publishEvent(trx, to, { type: 'terminals', agentId, terminals });
    const values = { ...digests, published_revision: String(next) };
    await trx.updateTable('agents').set(values).where('id', '=', agentId).execute();
  });
