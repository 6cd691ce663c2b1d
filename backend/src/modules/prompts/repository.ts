import type { Prompt } from '@sac/contracts';
import { sql } from 'kysely';
import type { PromptRow } from '../../db/agent-tables.ts';
import type { DatabaseOrTransaction } from '../../db/database.ts';

const placeOf = (row: PromptRow): number => Number(row.position ?? row.id);

export const presentPrompt = (row: PromptRow): Prompt => ({
  id: row.id,
  agentId: row.agent_id,
  clientRequestId: row.client_request_id,
  text: row.text,
  state: row.state,
  position: placeOf(row),
  reason: row.reason,
  createdAt: row.created_at.toISOString(),
  settledAt: row.settled_at?.toISOString() ?? null,
});

export const DEFAULT_LIST_LIMIT = 50;

export const findPrompt = (
  db: DatabaseOrTransaction,
  agentId: string,
  promptId: string,
): Promise<PromptRow | undefined> =>
  db.selectFrom('prompts').selectAll().where('id', '=', promptId).where('agent_id', '=', agentId).executeTakeFirst();

export const findByClientRequest = (
  db: DatabaseOrTransaction,
  agentId: string,
  clientRequestId: string,
): Promise<PromptRow | undefined> =>
  db
    .selectFrom('prompts')
    .selectAll()
    .where('agent_id', '=', agentId)
    .where('client_request_id', '=', clientRequestId)
    .executeTakeFirst();

/** Prompts of an agent that are in one of these states. */
export const countInStates = async (
  db: DatabaseOrTransaction,
  agentId: string,
  states: readonly Prompt['state'][],
): Promise<number> => {
  const { count } = await db
    .selectFrom('prompts')
    .select((eb) => eb.fn.countAll<string>().as('count'))
    .where('agent_id', '=', agentId)
    .where('state', 'in', states)
    .executeTakeFirstOrThrow();
  return Number(count);
};

export const insertPrompt = (
  db: DatabaseOrTransaction,
  prompt: {
    readonly agentId: string;
    readonly authorId: string;
    readonly clientRequestId: string;
    readonly text: string;
  },
): Promise<PromptRow> =>
  db
    .insertInto('prompts')
    .values({
      agent_id: prompt.agentId,
      author_id: prompt.authorId,
      client_request_id: prompt.clientRequestId,
      text: prompt.text,
    })
    .returningAll()
    .executeTakeFirstOrThrow();

/** Changes the state of one prompt, from one of the states given; undefined when it is in none of them. */
export const movePrompt = (
  db: DatabaseOrTransaction,
  change: {
    readonly agentId: string;
    readonly promptId: string;
    readonly from: readonly Prompt['state'][];
    readonly to: Prompt['state'];
    readonly reason?: string | null;
    /** Only while it is settled since then. */
    readonly settledAt?: Date;
  },
): Promise<PromptRow | undefined> => {
  const open = change.to === 'queued' || change.to === 'delivering';
  const { settledAt } = change;
  return db
    .updateTable('prompts')
    .set({ state: change.to, reason: change.reason ?? null, settled_at: open ? null : sql`now()` })
    .where('id', '=', change.promptId)
    .where('agent_id', '=', change.agentId)
    .where('state', 'in', change.from)
    .$if(settledAt !== undefined, (query) =>
      query.where(sql<boolean>`date_trunc('milliseconds', settled_at) = ${settledAt}`),
    )
    .returningAll()
    .executeTakeFirst();
};

/** By this, smallest first, prompts are delivered. */
export const queuePlace = sql<string>`coalesce(position, id)`;

/** What waits and was not handed to a sandbox yet, in the order of the queue; locked. */
export const lockMovablePrompts = (db: DatabaseOrTransaction, agentId: string): Promise<PromptRow[]> =>
  db
    .selectFrom('prompts')
    .selectAll()
    .where('agent_id', '=', agentId)
    .where('state', '=', 'queued')
    // A sandbox may have begun with it: it has to be the next one, so that it is recognised.
    .where(({ not, exists, selectFrom }) =>
      not(
        exists(
          selectFrom('commands')
            .select('commands.id')
            .whereRef('commands.prompt_id', '=', 'prompts.id')
            .where('commands.state', '=', 'pending'),
        ),
      ),
    )
    .orderBy(queuePlace)
    .forUpdate()
    .execute();

export const setPosition = (db: DatabaseOrTransaction, promptId: string, position: string): Promise<PromptRow> =>
  db.updateTable('prompts').set({ position }).where('id', '=', promptId).returningAll().executeTakeFirstOrThrow();

/** How many of these prompts the agent has, in whatever state. */
export const countPrompts = async (
  db: DatabaseOrTransaction,
  agentId: string,
  promptIds: readonly string[],
): Promise<number> => {
  const { count } = await db
    .selectFrom('prompts')
    .select((eb) => eb.fn.countAll<string>().as('count'))
    .where('agent_id', '=', agentId)
    .where('id', 'in', promptIds)
    .executeTakeFirstOrThrow();
  return Number(count);
};

/** Open ones and the newest settled ones, oldest first. */
export const listPrompts = async (db: DatabaseOrTransaction, agentId: string, limit: number): Promise<PromptRow[]> => {
  const open = await db
    .selectFrom('prompts')
    .selectAll()
    .where('agent_id', '=', agentId)
    .where('state', 'in', ['queued', 'delivering', 'failed', 'unknown'])
    .orderBy('id', 'desc')
    .limit(200)
    .execute();
  const delivered = await db
    .selectFrom('prompts')
    .selectAll()
    .where('agent_id', '=', agentId)
    .where('state', '=', 'delivered')
    .orderBy('id', 'desc')
    .limit(limit)
    .execute();
  return [...open, ...delivered].sort((left, right) => placeOf(left) - placeOf(right));
};

/** Deletes those of one agent that are settled and older than the newest `kept`. */
export const deleteOldPrompts = async (db: DatabaseOrTransaction, agentId: string, kept: number): Promise<void> => {
  const settled = db
    .selectFrom('prompts')
    .select('id')
    .where('agent_id', '=', agentId)
    .where('state', 'in', ['delivered', 'cancelled']);
  await db
    .deleteFrom('prompts')
    .where('agent_id', '=', agentId)
    .where('state', 'in', ['delivered', 'cancelled'])
    .where('id', '<=', settled.orderBy('id', 'desc').offset(kept).limit(1))
    .execute();
};

export const deleteSettledPrompts = async (db: DatabaseOrTransaction, before: Date): Promise<void> => {
  await db
    .deleteFrom('prompts')
    .where('settled_at', '<', before)
    .where('state', 'in', ['delivered', 'cancelled'])
    .execute();
};
