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
  readonly timeoutMs?: number;
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
      // By the clock that says later whether it is over: those of replicas differ.
      expires_at:
        command.timeoutMs === undefined ? null : sql<Date>`now() + ${command.timeoutMs} * interval '1 millisecond'`,
    })
    .returning('id')
    .executeTakeFirstOrThrow();
  return id;
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
export const readdressPromptCommand = async (
  db: DatabaseOrTransaction,
  promptId: string,
  generation: number,
): Promise<boolean> => {
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
export const lockStaleCommands = (
  db: DatabaseOrTransaction,
  agentId: string,
  currentGeneration: number,
): Promise<CommandRow[]> =>
  db
    .selectFrom('commands')
    .selectAll()
    .where('agent_id', '=', agentId)
    .where('generation', '<', currentGeneration)
    .where('state', '=', 'pending')
    .orderBy('id')
    .forUpdate()
    .execute();
