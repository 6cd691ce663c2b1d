import type { CommandResult, SandboxCommand } from '@sac/contracts';
import { sql } from 'kysely';
import type { CommandKind, CommandPayload, CommandRow } from '../../db/agent-tables.ts';
import type { DatabaseOrTransaction } from '../../db/database.ts';

export interface NewCommand {
  readonly agentId: string;
  readonly generation: number;
  readonly kind: CommandKind;
  readonly payload: CommandPayload;
  readonly promptId?: string;
  /** Absent: it waits as long as its sandbox lives. */
  readonly expiresAt?: Date;
}

export const insertCommand = async (db: DatabaseOrTransaction, command: NewCommand): Promise<string> => {
  const { id } = await db
    .insertInto('commands')
    .values({
      agent_id: command.agentId,
      generation: command.generation,
      kind: command.kind,
      payload: JSON.stringify(command.payload),
      prompt_id: command.promptId ?? null,
      expires_at: command.expiresAt ?? null,
    })
    .returning('id')
    .executeTakeFirstOrThrow();
  return id;
};

/** More than anybody has open at a time; the rest follows when these are settled. */
const MAX_PENDING = 200;

/** Commands a sidecar has not acknowledged, oldest first. What nobody waits for any more is left out. */
export const listPendingCommands = (db: DatabaseOrTransaction, agentId: string, generation: number): Promise<CommandRow[]> =>
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

/** Counts a hand-over, before it happens: a command that may have been sent is never taken for unsent. */
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

/** Nobody waits for it any more: it is not sent again, and a late result changes nothing. True when it was still open. */
export const abandonCommand = async (db: DatabaseOrTransaction, id: string): Promise<boolean> => {
  const { numUpdatedRows } = await db
    .updateTable('commands')
    .set({ state: 'abandoned', settled_at: sql`now()` })
    .where('id', '=', id)
    .where('state', '=', 'pending')
    .executeTakeFirst();
  return numUpdatedRows > 0n;
};

/** Gives the open command of a prompt to another sandbox; false when there is none. */
export const readdressPromptCommand = async (db: DatabaseOrTransaction, promptId: string, generation: number): Promise<boolean> => {
  const { numUpdatedRows } = await db
    .updateTable('commands')
    .set({ generation })
    .where('prompt_id', '=', promptId)
    .where('state', '=', 'pending')
    .executeTakeFirst();
  return numUpdatedRows > 0n;
};

export const abandonPromptCommand = async (db: DatabaseOrTransaction, promptId: string): Promise<void> => {
  await db
    .updateTable('commands')
    .set({ state: 'abandoned', settled_at: sql`now()` })
    .where('prompt_id', '=', promptId)
    .where('state', '=', 'pending')
    .execute();
};

/** Commands addressed to sandboxes of this agent that are gone for good. */
export const lockStaleCommands = (db: DatabaseOrTransaction, agentId: string, currentGeneration: number): Promise<CommandRow[]> =>
  db
    .selectFrom('commands')
    .selectAll()
    .where('agent_id', '=', agentId)
    .where('generation', '<', currentGeneration)
    .where('state', '=', 'pending')
    .orderBy('id')
    .forUpdate()
    .execute();

export const deleteSettledCommands = async (db: DatabaseOrTransaction, before: Date): Promise<void> => {
  await db.deleteFrom('commands').where('settled_at', '<', before).execute();
};

/** The line a sidecar reads. Checked against the schema where it is sent. */
export const toSandboxCommand = (row: CommandRow): SandboxCommand =>
  ({ id: row.id, issuedAt: row.created_at.toISOString(), kind: row.kind, ...row.payload }) as SandboxCommand;

/** Terminals opened so recently that the sidecar's next report may not show them yet. */
export const wasOpenedSince = async (db: DatabaseOrTransaction, agentId: string, generation: number, name: string, since: Date): Promise<boolean> => {
  const row = await db
    .selectFrom('commands')
    .select('id')
    .where('agent_id', '=', agentId)
    .where('generation', '=', generation)
    .where('kind', '=', 'openTerminal')
    .where('state', '=', 'done')
    .where('settled_at', '>', since)
    .where(sql<string>`result -> 'value' ->> 'name'`, '=', name)
    .executeTakeFirst();
  return row !== undefined;
};
