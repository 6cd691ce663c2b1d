import { sql } from 'kysely';
import type { DatabaseOrTransaction } from '../../db/database.ts';
import type { ObservedSandbox } from '../../runtimes/runtime.ts';

/** How many starts of an agent are remembered. */
const KEPT_STARTS = 20;

export const recordStart = async (
  db: DatabaseOrTransaction,
  start: { readonly agentId: string; readonly generation: number; readonly specHash: string },
): Promise<void> => {
  await db
    .insertInto('sandbox_starts')
    .values({ agent_id: start.agentId, generation: start.generation, spec_hash: start.specHash })
    .onConflict((conflict) => conflict.columns(['agent_id', 'generation']).doUpdateSet({ spec_hash: start.specHash }))
    .execute();
  await db
    .deleteFrom('sandbox_starts')
    .where('agent_id', '=', start.agentId)
    .where('id', 'not in', (eb) =>
      eb
        .selectFrom('sandbox_starts')
        .select('id')
        .where('agent_id', '=', start.agentId)
        .orderBy('id', 'desc')
        .limit(KEPT_STARTS),
    )
    .execute();
};

const resultOf = (observed: ObservedSandbox): 'running' | 'failed' | null =>
  observed.state === 'running' ? 'running' : observed.state === 'failed' ? 'failed' : null;

/** Writes down how far a start has come. Repeating it changes nothing. */
export const recordProgress = async (
  db: DatabaseOrTransaction,
  agentId: string,
  observed: ObservedSandbox,
): Promise<void> => {
  const result = resultOf(observed);
  if (observed.state !== 'starting' && result === null) return;
  await db
    .updateTable('sandbox_starts')
    .set({
      phases: JSON.stringify(observed.phases),
      result,
      reason: observed.failure?.reason ?? null,
      finished_at: result === null ? null : sql`coalesce(finished_at, now())`,
    })
    .where('agent_id', '=', agentId)
    .where('generation', '=', observed.generation)
    .where(sql<boolean>`result is distinct from 'ended'`)
    .where(sql<boolean>`(phases, result) is distinct from (${JSON.stringify(observed.phases)}::jsonb, ${result}::text)`)
    .execute();
};

export const recordEnd = async (
  db: DatabaseOrTransaction,
  end: {
    readonly agentId: string;
    readonly generation: number;
    readonly result: 'ended' | 'failed';
    readonly reason: string;
  },
): Promise<void> => {
  const { agentId, generation, result, reason } = end;
  await db
    .updateTable('sandbox_starts')
    .set({ result, reason, finished_at: sql`coalesce(finished_at, now())` })
    .where('agent_id', '=', agentId)
    .where('generation', '=', generation)
    .execute();
};
