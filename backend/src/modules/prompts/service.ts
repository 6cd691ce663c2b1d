import { PROMPT_MAX_BYTES, type Prompt } from '@sac/contracts';
import type { AuthenticatedUser } from '../../lib/handlers.ts';
import type { Database } from '../../db/database.ts';
import { inTransaction } from '../../db/transaction.ts';
import { AppError, notFound } from '../../lib/app-error.ts';
import { COMMANDS_CHANNEL, notify } from '../agents/channels.ts';
import { touchAgent } from '../agents/records.ts';
import type { AgentService } from '../agents/service.ts';
import type { CommandBus } from '../commands/command-bus.ts';
import { abandonPromptCommand } from '../commands/command-queue.ts';
import { requireRunning } from '../terminals/require-running.ts';
import { publishPrompt } from './dispatcher.ts';
import {
  countQueued,
  findByClientRequest,
  insertPrompt,
  listPrompts,
  movePrompt,
  presentPrompt,
} from './repository.ts';

type Owner = Pick<AuthenticatedUser, 'id'>;

/** Prompts of one agent that wait or are being delivered. */
export const MAX_QUEUED_PROMPTS = 50;
/** Esc is only worth something at once. */
const INTERRUPT_TIMEOUT_MS = 10_000;

export interface PromptService {
  list(owner: Owner, agentId: string, limit: number): Promise<{ prompts: Prompt[] }>;
  send(
    owner: Owner,
    agentId: string,
    body: { readonly clientRequestId: string; readonly text: string },
  ): Promise<Prompt>;
  cancel(owner: Owner, agentId: string, promptId: string): Promise<void>;
  interrupt(owner: Owner, agentId: string): Promise<void>;
}

const assertSize = (text: string): void => {
  const sizeBytes = Buffer.byteLength(text, 'utf8');
  if (sizeBytes <= PROMPT_MAX_BYTES) return;
  throw new AppError(
    'payload_too_large',
    `The prompt has ${sizeBytes} bytes; the limit is ${PROMPT_MAX_BYTES}. Put long text into a file and name it in the prompt.`,
    {
      limitBytes: PROMPT_MAX_BYTES,
      sizeBytes,
    },
  );
};

export const createPromptService = (deps: {
  readonly db: Database;
  readonly agents: AgentService;
  readonly bus: CommandBus;
}): PromptService => {
  const { db, agents, bus } = deps;

  const send: PromptService['send'] = async (owner, agentId, { clientRequestId, text }) => {
    assertSize(text);
    return inTransaction(db, async (trx) => {
      // The lock makes two requests with one id, and the limit, exact.
      await trx
        .selectFrom('agents')
        .select('id')
        .where('id', '=', agentId)
        .where('owner_id', '=', owner.id)
        .forUpdate()
        .execute();
      await agents.own(owner, agentId, trx);
      const existing = await findByClientRequest(trx, agentId, clientRequestId);
      if (existing) {
        if (existing.text !== text) throw new AppError('conflict', 'This request id was used for another prompt.');
        return presentPrompt(existing);
      }
      if ((await countQueued(trx, agentId)) >= MAX_QUEUED_PROMPTS) {
        throw new AppError(
          'limit_reached',
          `${MAX_QUEUED_PROMPTS} prompts are waiting already. Wait until some are delivered, or take some back.`,
          { limit: MAX_QUEUED_PROMPTS },
        );
      }
      const row = await insertPrompt(trx, { agentId, authorId: owner.id, clientRequestId, text });
      await publishPrompt(trx, owner.id, row);
      await touchAgent(trx, agentId);
      await notify(trx, COMMANDS_CHANNEL, agentId);
      return presentPrompt(row);
    });
  };

  const cancel: PromptService['cancel'] = (owner, agentId, promptId) =>
    inTransaction(db, async (trx) => {
      await agents.own(owner, agentId, trx);
      const row = await movePrompt(trx, { agentId, promptId, from: ['queued', 'failed', 'unknown'], to: 'cancelled' });
      if (row) {
        await abandonPromptCommand(trx, promptId);
        await publishPrompt(trx, owner.id, row);
        await notify(trx, COMMANDS_CHANNEL, agentId);
        return;
      }
      const found = await trx
        .selectFrom('prompts')
        .select('state')
        .where('id', '=', promptId)
        .where('agent_id', '=', agentId)
        .executeTakeFirst();
      if (!found) throw notFound('This prompt');
      if (found.state !== 'cancelled') {
        throw new AppError(
          'conflict',
          found.state === 'delivered'
            ? 'This prompt is delivered already.'
            : 'This prompt is being delivered right now; stop the agent instead.',
        );
      }
    });

  const interrupt: PromptService['interrupt'] = async (owner, agentId) => {
    const own = await agents.own(owner, agentId);
    const { generation } = requireRunning(own);
    await bus.send({ agentId, generation, kind: 'interrupt', payload: {}, timeoutMs: INTERRUPT_TIMEOUT_MS });
  };

  return {
    list: async (owner, agentId, limit) => {
      await agents.own(owner, agentId);
      return { prompts: (await listPrompts(db, agentId, limit)).map(presentPrompt) };
    },
    send,
    cancel,
    interrupt,
  };
};
