import { PROMPT_MAX_BYTES, PROMPT_QUEUE_MAX, type Prompt } from '@sac/contracts';
import type { Transaction } from 'kysely';
import type { PromptRow } from '../../db/agent-tables.ts';
import type { Tables } from '../../db/tables.ts';
import type { AuthenticatedUser } from '../../lib/handlers.ts';
import type { Database } from '../../db/database.ts';
import { inTransaction } from '../../db/transaction.ts';
import { AppError, notFound } from '../../lib/app-error.ts';
import { COMMANDS_CHANNEL, notify } from '../agents/channels.ts';
import { notePresence } from '../agents/records.ts';
import type { AgentService } from '../agents/service.ts';
import type { CommandBus } from '../commands/command-bus.ts';
import { abandonPromptCommand } from '../commands/command-queue.ts';
import { requireRunning } from '../terminals/require-running.ts';
import { publishEvent } from '../events/publish.ts';
import { publishPrompt } from './dispatcher.ts';
import {
  countPrompts,
  countInStates,
  DEFAULT_LIST_LIMIT,
  deleteOldPrompts,
  findByClientRequest,
  findPrompt,
  insertPrompt,
  listPrompts,
  lockMovablePrompts,
  movePrompt,
  presentPrompt,
  setPosition,
} from './repository.ts';

type Owner = Pick<AuthenticatedUser, 'id'>;

/** Esc is only worth something at once. */
const INTERRUPT_TIMEOUT_MS = 10_000;
/** Settled ones of an agent: as many as a list can show, so that an account cannot fill the database. */
const PROMPTS_KEPT = 200;

export interface PromptService {
  list(owner: Owner, agentId: string, limit: number): Promise<{ prompts: Prompt[] }>;
  send(
    owner: Owner,
    agentId: string,
    body: { readonly clientRequestId: string; readonly text: string },
  ): Promise<Prompt>;
  cancel(owner: Owner, agentId: string, promptId: string): Promise<void>;
  /** @returns the open and newest prompts, as `list` does */
  reorder(owner: Owner, agentId: string, promptIds: readonly string[]): Promise<{ prompts: Prompt[] }>;
  retry(
    owner: Owner,
    agentId: string,
    which: { readonly promptId: string; readonly settledAt: string },
  ): Promise<Prompt>;
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

/** What would not reach a CLI, or not as it was written, is refused before it waits in a queue. */
const assertText = (text: string): void => {
  assertSize(text);
  if (text.includes('\0')) throw new AppError('invalid_request', 'The prompt holds a NUL character; take it out.');
  if (/^[\s\p{Cc}\p{Cf}\p{Default_Ignorable_Code_Point}]*$/u.test(text))
    throw new AppError('invalid_request', 'The prompt holds nothing but white space. Write what the agent should do.');
};

const full = (what: string): AppError => new AppError('limit_reached', what, { limit: PROMPT_QUEUE_MAX });

const assertRoom = async (trx: Transaction<Tables>, agentId: string): Promise<void> => {
  if ((await countInStates(trx, agentId, ['queued', 'delivering'])) >= PROMPT_QUEUE_MAX)
    throw full(`${PROMPT_QUEUE_MAX} prompts are waiting already. Wait until some are delivered, or take some back.`);
};

/** What nobody decides about is kept for ever, so there can be only so much of it. */
const assertDecided = async (trx: Transaction<Tables>, agentId: string): Promise<void> => {
  if ((await countInStates(trx, agentId, ['failed', 'unknown'])) >= PROMPT_QUEUE_MAX)
    throw full(`${PROMPT_QUEUE_MAX} prompts wait for a decision. Send them again, or remove some.`);
};

/** The lock makes two requests with one id, the limit, and the order exact. */
const lockAgent = async (trx: Transaction<Tables>, owner: Owner, agentId: string): Promise<void> => {
  await trx
    .selectFrom('agents')
    .select('id')
    .where('id', '=', agentId)
    .where('owner_id', '=', owner.id)
    .forUpdate()
    .execute();
};

/** Puts those that can be moved into the wanted order, in the places they have among them. Returns what was moved where. */
const moveWithin = async (trx: Transaction<Tables>, agentId: string, promptIds: readonly string[]) => {
  const movable = await lockMovablePrompts(trx, agentId);
  const wanted = new Map(promptIds.map((id, index) => [id, index]));
  const rank = ({ id }: PromptRow): number => wanted.get(id) ?? promptIds.length;
  const places: Pick<Prompt, 'id' | 'position'>[] = [];
  for (const [index, row] of movable.toSorted((a, b) => rank(a) - rank(b)).entries()) {
    const place = movable[index]?.position ?? movable[index]?.id;
    if (place === undefined || place === (row.position ?? row.id)) continue;
    const { id, position } = presentPrompt(await setPosition(trx, row.id, place));
    places.push({ id, position });
  }
  return places;
};

export const createPromptService = (deps: {
  readonly db: Database;
  readonly agents: AgentService;
  readonly bus: CommandBus;
}): PromptService => {
  const { db, agents, bus } = deps;

  const send: PromptService['send'] = async (owner, agentId, { clientRequestId, text: sent }) => {
    assertText(sent);
    // As it is stored: a repeated request must find the same text.
    const text = sent.toWellFormed();
    return inTransaction(db, async (trx) => {
      await lockAgent(trx, owner, agentId);
      await agents.own(owner, agentId, trx);
      const existing = await findByClientRequest(trx, agentId, clientRequestId);
      if (existing) {
        if (existing.text !== text) throw new AppError('conflict', 'This request id was used for another prompt.');
        return presentPrompt(existing);
      }
      await assertRoom(trx, agentId);
      await assertDecided(trx, agentId);
      await deleteOldPrompts(trx, agentId, PROMPTS_KEPT);
      const row = await insertPrompt(trx, { agentId, authorId: owner.id, clientRequestId, text });
      await publishPrompt(trx, owner.id, row);
      await notePresence(trx, agentId);
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
      const found = await findPrompt(trx, agentId, promptId);
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

  const reorder: PromptService['reorder'] = (owner, agentId, promptIds) =>
    inTransaction(db, async (trx) => {
      await lockAgent(trx, owner, agentId);
      await agents.own(owner, agentId, trx);
      if ((await countPrompts(trx, agentId, promptIds)) < promptIds.length) throw notFound('One of these prompts');
      const places = await moveWithin(trx, agentId, promptIds);
      if (places.length > 0) await publishEvent(trx, { userId: owner.id }, { type: 'prompt-places', agentId, places });
      return { prompts: (await listPrompts(trx, agentId, DEFAULT_LIST_LIMIT)).map(presentPrompt) };
    });

  const retry: PromptService['retry'] = (owner, agentId, { promptId, settledAt }) =>
    inTransaction(db, async (trx) => {
      await lockAgent(trx, owner, agentId);
      await agents.own(owner, agentId, trx);
      if (!(await findPrompt(trx, agentId, promptId))) throw notFound('This prompt');
      await assertRoom(trx, agentId);
      const row = await movePrompt(trx, {
        agentId,
        promptId,
        from: ['failed', 'unknown'],
        to: 'queued',
        settledAt: new Date(settledAt),
      });
      if (!row) {
        throw new AppError('conflict', 'This prompt is not waiting for a decision any more; its state has changed.');
      }
      await publishPrompt(trx, owner.id, row);
      await notify(trx, COMMANDS_CHANNEL, agentId);
      return presentPrompt(row);
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
    reorder,
    retry,
    interrupt,
  };
};
