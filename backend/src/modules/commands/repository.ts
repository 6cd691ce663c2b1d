import type { CommandResult, SandboxCommand } from '@sac/contracts';
import { sql } from 'kysely';
import type { CommandRow } from '../../db/agent-tables.ts';
import type { DatabaseOrTransaction } from '../../db/database.ts';

/** More than anybody has open at a time; the rest follows when these are settled. */
const MAX_PENDING = 200;

/** Commands a sidecar has not acknowledged, oldest first. What nobody waits for any more is left out. */
export const listPendingCommands = (
  db: DatabaseOrTransaction,
  agentId: string,
  generation: number,
): Promise<CommandRow[]> =>
  db
    .selectFrom('commands')
    .selectAll()
    .where('agent_id', '=', agentId)
    .where('generation', '=', generation)
    .where('state', '=', 'pending')
    .where((eb) => eb.or([eb('expires_at', 'is', null), eb('expires_at', '>', sql<Date>`now()`)]))
    .orderBy('id')
    .limit(MAX_PENDING)
    .execute();

/** Counts hand-overs, for whoever asks later why a command did not arrive. */
export const countAttempt = async (db: DatabaseOrTransaction, ids: readonly string[]): Promise<void> => {
  await db
    .updateTable('commands')
    .set((eb) => ({ attempts: eb('attempts', '+', 1) }))
    .where('id', 'in', ids)
    .execute();
};

export const findCommand = (db: DatabaseOrTransaction, id: string): Promise<CommandRow | undefined> =>
  db.selectFrom('commands').selectAll().where('id', '=', id).executeTakeFirst();

/** Locks the command of exactly this sandbox; anybody else's does not exist for it. */
export const lockCommand = (
  db: DatabaseOrTransaction,
  id: string,
  agentId: string,
  generation: number,
): Promise<CommandRow | undefined> =>
  db
    .selectFrom('commands')
    .selectAll()
    .where('id', '=', id)
    .where('agent_id', '=', agentId)
    .where('generation', '=', generation)
    .forUpdate()
    .executeTakeFirst();

export const settleCommand = async (db: DatabaseOrTransaction, id: string, result: CommandResult): Promise<void> => {
  await db
    .updateTable('commands')
    .set({ state: result.outcome, result: JSON.stringify(result), settled_at: sql`now()` })
    .where('id', '=', id)
    .execute();
};

/** Settles what nobody waits for any more: its sender never waited, or did not live to say so. */
export const abandonExpiredCommands = async (db: DatabaseOrTransaction): Promise<void> => {
  await db
    .updateTable('commands')
    .set({ state: 'abandoned', settled_at: sql`now()` })
    .where('state', '=', 'pending')
    .where('expires_at', '<', sql<Date>`now()`)
    .execute();
};

export const deleteSettledCommands = async (db: DatabaseOrTransaction, before: Date): Promise<void> => {
  await db.deleteFrom('commands').where('settled_at', '<', before).execute();
};

/** The line a sidecar reads. Which replica holds an upload is for replicas only. */
export const toSandboxCommand = (row: CommandRow): SandboxCommand => {
  const { holder: _holder, ...payload } = row.payload;
  return { id: row.id, issuedAt: row.created_at.toISOString(), kind: row.kind, ...payload } as SandboxCommand;
};

/** Terminals opened so recently that the sidecar's next report may not show them yet. */
export const wasOpenedWithin = async (
  db: DatabaseOrTransaction,
  opened: {
    readonly agentId: string;
    readonly generation: number;
    readonly terminal: string;
    readonly withinMs: number;
  },
): Promise<boolean> => {
  const row = await db
    .selectFrom('commands')
    .select('id')
    .where('agent_id', '=', opened.agentId)
    .where('generation', '=', opened.generation)
    .where('kind', '=', 'openTerminal')
    .where('state', '=', 'done')
    .where('settled_at', '>', sql<Date>`now() - ${opened.withinMs} * interval '1 millisecond'`)
    .where(sql<string>`result -> 'value' ->> 'name'`, '=', opened.terminal)
    .executeTakeFirst();
  return row !== undefined;
};
