import type { CommandResult, Prompt } from '@sac/contracts';
import type { Transaction } from 'kysely';
import type { CommandRow, PromptRow } from '../../db/agent-tables.ts';
import type { Database } from '../../db/database.ts';
import type { Tables } from '../../db/tables.ts';
import { inTransaction } from '../../db/transaction.ts';
import { COMMAND_RESULTS_CHANNEL, COMMANDS_CHANNEL, notify } from '../agents/channels.ts';
import { abandonCommand, insertCommand, lockStaleCommands, readdressPromptCommand } from '../commands/command-queue.ts';
import { publishEvent } from '../events/publish.ts';
import { movePrompt, presentPrompt, queuePlace } from './repository.ts';

/** Tells the owner's browsers what became of a prompt. */
export const publishPrompt = (trx: Transaction<Tables>, ownerId: string, row: PromptRow): Promise<void> =>
  publishEvent(trx, { userId: ownerId }, { type: 'prompt', prompt: presentPrompt(row) });

const settledState: Record<CommandResult['outcome'], Prompt['state']> = {
  done: 'delivered',
  failed: 'failed',
  unknown: 'unknown',
};

/** What a sidecar's answer means for the prompt; also lets the next one go. */
export const settlePrompt = async (
  trx: Transaction<Tables>,
  ownerId: string,
  command: CommandRow,
  result: CommandResult,
): Promise<void> => {
  if (command.prompt_id === null) return;
  const change = {
    agentId: command.agent_id,
    promptId: command.prompt_id,
    from: ['delivering'] as const,
    to: settledState[result.outcome],
    reason: result.reason,
  };
  const row = await movePrompt(trx, change);
  if (row) await publishPrompt(trx, ownerId, row);
  await notify(trx, COMMANDS_CHANNEL, command.agent_id);
};

/**
 * A prompt goes back into its place of the queue and keeps its command: the next sandbox gets the same
 * command id, and its sidecar finds out whether the prompt had arrived before it sends anything. Everything
 * else was meant for the sandbox that is gone.
 */
const settleStale = async (trx: Transaction<Tables>, ownerId: string, command: CommandRow): Promise<void> => {
  if (command.prompt_id === null) {
    await abandonCommand(trx, command.id);
    await notify(trx, COMMAND_RESULTS_CHANNEL, command.id);
    return;
  }
  const row = await movePrompt(trx, {
    agentId: command.agent_id,
    promptId: command.prompt_id,
    from: ['delivering'],
    to: 'queued',
  });
  if (row) await publishPrompt(trx, ownerId, row);
};

/**
 * Settles what was addressed to earlier sandboxes of an agent. `sandboxGone` says that the current one is gone too.
 */
export const settleStaleCommands = (db: Database, agentId: string, sandboxGone: boolean): Promise<void> =>
  inTransaction(db, async (trx) => {
    const agent = await trx
      .selectFrom('agents')
      .select(['owner_id', 'generation'])
      .where('id', '=', agentId)
      .forUpdate()
      .executeTakeFirst();
    if (!agent) return;
    const stale = await lockStaleCommands(trx, agentId, agent.generation + (sandboxGone ? 1 : 0));
    for (const command of stale) await settleStale(trx, agent.owner_id, command);
  });

/**
 * Makes a command of the next queued prompt when the CLI is ready for input and none is under way. Called
 * by whoever holds the sidecar's connection. True when there is a new command.
 */
export const dispatchNextPrompt = (db: Database, agentId: string, generation: number): Promise<boolean> =>
  inTransaction(db, async (trx) => {
    const agent = await trx
      .selectFrom('agents')
      .select('owner_id')
      .where('id', '=', agentId)
      .where('generation', '=', generation)
      .where('desired_state', '=', 'awake')
      .where('deleted_at', 'is', null)
      .forUpdate()
      .executeTakeFirst();
    if (!agent) return false;
    const stored = await trx
      .selectFrom('sandbox_reports')
      .select('report')
      .where('agent_id', '=', agentId)
      .where('generation', '=', generation)
      .executeTakeFirst();
    if (stored?.report.activity.state !== 'ready') return false;
    const next = await trx
      .selectFrom('prompts')
      .select(['id', 'state', 'text'])
      .where('agent_id', '=', agentId)
      .where('state', 'in', ['queued', 'delivering'])
      .orderBy('state') // 'delivering' sorts before 'queued'
      .orderBy(queuePlace)
      .executeTakeFirst();
    if (next?.state !== 'queued') return false;
    const row = await movePrompt(trx, { agentId, promptId: next.id, from: ['queued'], to: 'delivering' });
    if (!row) return false;
    if (!(await readdressPromptCommand(trx, next.id, generation))) {
      await insertCommand(trx, {
        agentId,
        generation,
        kind: 'prompt',
        promptId: next.id,
        payload: { promptId: next.id, text: next.text },
      });
    }
    await publishPrompt(trx, agent.owner_id, row);
    return true;
  });
