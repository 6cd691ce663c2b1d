import { noPodValues, type Agent, type CreateAgentBody, type PodValues, type UpdateAgentBody } from '@sac/contracts';
import type { Transaction } from 'kysely';
import type { Database, DatabaseOrTransaction } from '../../db/database.ts';
import { isUniqueViolation } from '../../db/errors.ts';
import type { Tables } from '../../db/tables.ts';
import { inTransaction } from '../../db/transaction.ts';
import { AppError, notFound } from '../../lib/app-error.ts';
import { seal, sealKeyFromMaster } from '../../lib/seal.ts';
import { publishEvent } from '../events/publish.ts';
import { AGENTS_CHANNEL, notify } from './channels.ts';
import { DELETION_GRACE_MS, UNDO_OFFERED_MS } from './lifetimes.ts';
import type { Owner } from './policy.ts';
import type { AgentReader } from './reader.ts';
import { findAgentRecord, type AgentRecord } from './records.ts';
import {
  changeAgent,
  countOwnAgents,
  findDeletedAgents,
  findDeletedName,
  insertAgent,
  lockAgent,
  lockOwner,
  markDeleted,
  setDesired,
  storeToken,
  unmarkDeleted,
} from './repository.ts';
import { PROVIDER_TOKEN, secretPlace, specHashOf, type SpecContext, type StoredToken } from './spec.ts';
import { findPodLevels } from '../pods/levels.ts';
import { changedPodValues } from '../pods/own-values.ts';
import { readPodValues } from '../pods/values.ts';
import { validateConfiguration } from './validation.ts';

export interface AgentEditing {
  create(owner: Owner, body: CreateAgentBody): Promise<Agent>;
  update(owner: Owner, agentId: string, body: UpdateAgentBody): Promise<Agent>;
  remove(owner: Owner, agentId: string): Promise<{ restorableUntil: string }>;
  restore(owner: Owner, agentId: string): Promise<Agent>;
}

export interface AgentEditingDeps extends SpecContext {
  readonly db: Database;
  readonly agentsPerUser: (db: DatabaseOrTransaction, ownerId: string) => Promise<number>;
}

const nameTaken = (name: string): AppError =>
  new AppError('name_taken', `You already have an agent called "${name}". Choose another name.`, {
    fields: [{ path: '/name', message: 'This name is taken.' }],
  });

const limitReached = (limit: number): AppError =>
  new AppError(
    'limit_reached',
    `You have reached the limit of ${limit} agents. Delete one, or ask an administrator to raise the limit.`,
    { limit },
  );

/** They keep their volumes and prompts until they are erased. */
const DELETED_AGENTS_MAX = 100;

const tooManyDeleted = (firstAt: Date): AppError => {
  const freeAt = new Date(firstAt.getTime() + DELETION_GRACE_MS).toISOString();
  return new AppError(
    'limit_reached',
    `You have deleted ${DELETED_AGENTS_MAX} agents, and each can be restored for a week. The first is erased at ${freeAt}; then there is room for another one.`,
    { limit: DELETED_AGENTS_MAX },
  );
};

/** Runs a write whose only unique rule is the agent's name. */
const namingAgent = async <T>(name: string, work: () => Promise<T>): Promise<T> => {
  try {
    return await work();
  } catch (error) {
    if (isUniqueViolation(error, 'agents_owner_name_key')) throw nameTaken(name);
    throw error;
  }
};

const podAfter = (
  { row, podLevels }: AgentRecord,
  change: Partial<PodValues>,
  { pods }: Pick<SpecContext, 'pods'>,
): PodValues =>
  changedPodValues({
    installation: pods,
    levels: podLevels,
    stored: readPodValues(row.pod),
    change,
    hasVolume: row.generation > 0,
  });

/** A pod that could not start holds no work: what was wrong with it may be what was changed. */
const startAnewIfStuck = async (
  trx: Transaction<Tables>,
  before: AgentRecord,
  reader: AgentReader,
  context: SpecContext,
): Promise<Agent> => {
  const { id, desired_state } = before.row;
  const after = await findAgentRecord(trx, id);
  if (!after) throw notFound('This agent');
  const agent = reader.present(after);
  const isStuck = context.pods !== null && desired_state === 'awake' && agent.status.state === 'failed';
  if (!isStuck || agent.status.reachable || specHashOf(before, context) === specHashOf(after, context)) return agent;
  await setDesired(trx, id, { desired: 'awake', newGeneration: true });
  return reader.presentById(trx, id);
};

/** Creating, changing, deleting and restoring agents. Nothing here starts or stops a sandbox. */
export const createAgentEditing = (
  deps: AgentEditingDeps,
  reader: AgentReader,
  assertMayRun: (owner: Owner) => void,
): AgentEditing => {
  const { db } = deps;
  const rules = { demo: deps.demo !== null };
  const sealToken = (agentUid: string, token: string): StoredToken =>
    seal(sealKeyFromMaster(deps.keys.master), secretPlace(agentUid, PROVIDER_TOKEN), token);

  const assertRoom = async (trx: Transaction<Tables>, ownerId: string): Promise<void> => {
    await lockOwner(trx, ownerId);
    const limit = await deps.agentsPerUser(trx, ownerId);
    if ((await countOwnAgents(trx, ownerId)) >= limit) throw limitReached(limit);
  };

  /** A rename must not fail because of rules that came after the rest was stored. */
  const validateChange = (row: AgentRecord['row'], body: UpdateAgentBody): void => {
    const { cli, provider, proxy, environment } = body;
    if (cli === undefined && provider === undefined && proxy === undefined && environment === undefined) return;
    const merged = {
      cli: cli ?? row.cli,
      provider: provider === undefined ? row.provider : provider,
      proxy: proxy ?? row.proxy,
      environment: environment ?? row.environment,
    };
    validateConfiguration(merged, rules);
  };

  const assertFewDeleted = async (trx: Transaction<Tables>, ownerId: string): Promise<void> => {
    const { count, firstAt } = await findDeletedAgents(trx, ownerId);
    if (count >= DELETED_AGENTS_MAX && firstAt !== null) throw tooManyDeleted(firstAt);
  };

  const create: AgentEditing['create'] = async (owner, { providerToken, ...config }) => {
    assertMayRun(owner);
    validateConfiguration(config, rules);
    return namingAgent(config.name, () =>
      inTransaction(db, async (trx) => {
        await assertRoom(trx, owner.id);
        await assertFewDeleted(trx, owner.id);
        const pod = changedPodValues({
          installation: deps.pods,
          levels: await findPodLevels(trx, owner.id),
          stored: noPodValues,
          change: config.pod ?? {},
          hasVolume: false,
        });
        const { id, uid } = await insertAgent(trx, owner.id, config, pod);
        if (providerToken !== undefined) await storeToken(trx, id, sealToken(uid, providerToken));
        await notify(trx, AGENTS_CHANNEL, id);
        return reader.presentById(trx, id);
      }),
    );
  };

  const update: AgentEditing['update'] = (owner, agentId, body) =>
    namingAgent(body.name ?? '', () =>
      inTransaction(db, async (trx) => {
        await lockAgent(trx, owner.id, agentId);
        const record = await reader.findOwn(trx, owner.id, agentId);
        const { row } = record;
        validateChange(row, body);
        await changeAgent(trx, agentId, body, body.pod && podAfter(record, body.pod, deps));
        if (body.providerToken !== undefined) {
          await storeToken(trx, agentId, body.providerToken === null ? null : sealToken(row.uid, body.providerToken));
        }
        await notify(trx, AGENTS_CHANNEL, agentId);
        return startAnewIfStuck(trx, record, reader, deps);
      }),
    );

  const remove: AgentEditing['remove'] = (owner, agentId) =>
    inTransaction(db, async (trx) => {
      const deleted = await markDeleted(trx, owner.id, agentId);
      if (!deleted?.deleted_at) throw notFound('This agent');
      await publishEvent(trx, { userId: owner.id }, { type: 'agent-deleted', agentId });
      await notify(trx, AGENTS_CHANNEL, agentId);
      return { restorableUntil: new Date(deleted.deleted_at.getTime() + UNDO_OFFERED_MS).toISOString() };
    });

  const restore: AgentEditing['restore'] = async (owner, agentId) => {
    const since = new Date(Date.now() - DELETION_GRACE_MS);
    const name = await findDeletedName(db, owner.id, agentId, since);
    if (name === null) throw notFound('This agent');
    return namingAgent(name, () =>
      inTransaction(db, async (trx) => {
        await assertRoom(trx, owner.id);
        await lockAgent(trx, owner.id, agentId);
        if ((await findDeletedName(trx, owner.id, agentId, since)) === null) throw notFound('This agent');
        await unmarkDeleted(trx, agentId);
        await notify(trx, AGENTS_CHANNEL, agentId);
        return reader.presentById(trx, agentId);
      }),
    );
  };

  return { create, update, remove, restore };
};
