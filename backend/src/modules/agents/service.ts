import type { Agent, CreateAgentBody, UpdateAgentBody } from '@sac/contracts';
import { sql, type Transaction, type Updateable } from 'kysely';
import type { Keys } from '../../config/keys.ts';
import type { AgentsTable, DesiredState } from '../../db/agent-tables.ts';
import type { Database, DatabaseOrTransaction } from '../../db/database.ts';
import { isUniqueViolation } from '../../db/errors.ts';
import type { Tables } from '../../db/tables.ts';
import { inTransaction } from '../../db/transaction.ts';
import { AppError, notFound } from '../../lib/app-error.ts';
import { seal, sealKeyFromMaster } from '../../lib/seal.ts';
import { publishEvent } from '../events/publish.ts';
import type { AuthenticatedUser } from '../../lib/handlers.ts';
import { AGENTS_CHANNEL, notify } from './channels.ts';
import { DELETION_GRACE_MS } from './lifetimes.ts';
import { assertMayRunAgents } from './policy.ts';
import { countOwnAgents, findAgentRecord, findOwnAgent, listOwnAgents, lockOwner, storeToken, touchAgent, type AgentRecord } from './repository.ts';
import { PROVIDER_TOKEN, secretPlace, type StoredToken } from './spec.ts';
import { presentAgent, stateOf, type AgentState, type StateDeps } from './state.ts';
import { validateConfiguration } from './validation.ts';

type Owner = Pick<AuthenticatedUser, 'id' | 'role'>;

export interface AgentServiceDeps extends StateDeps {
  readonly db: Database;
  readonly keys: Pick<Keys, 'master'>;
  readonly agentsPerUser: (db: DatabaseOrTransaction) => Promise<number>;
}

/** An own agent as found in the database, with its state. */
export interface OwnAgent {
  readonly record: AgentRecord;
  readonly state: AgentState;
}

export interface AgentService {
  list(owner: Owner): Promise<{ agents: Agent[]; limit: number }>;
  get(owner: Owner, agentId: string): Promise<Agent>;
  create(owner: Owner, body: CreateAgentBody): Promise<Agent>;
  update(owner: Owner, agentId: string, body: UpdateAgentBody): Promise<Agent>;
  remove(owner: Owner, agentId: string): Promise<{ restorableUntil: string }>;
  restore(owner: Owner, agentId: string): Promise<Agent>;
  restart(owner: Owner, agentId: string): Promise<Agent>;
  sleep(owner: Owner, agentId: string): Promise<Agent>;
  /** Asks for the sandbox to be awake, within the caller's transaction. Refuses where the owner may not run agents. */
  wake(trx: Transaction<Tables>, owner: Owner, agentId: string): Promise<Agent>;
  /** For other features: the agent and its state, or not_found. */
  own(owner: Pick<Owner, 'id'>, agentId: string, db?: DatabaseOrTransaction): Promise<OwnAgent>;
  assertMayRun(owner: Owner): void;
}

const nameTaken = (name: string): AppError =>
  new AppError('name_taken', `You already have an agent called "${name}". Choose another name.`, {
    fields: [{ path: '/name', message: 'This name is taken.' }],
  });

const limitReached = (limit: number): AppError =>
  new AppError('limit_reached', `You have reached the limit of ${limit} agents. Delete one, or ask an administrator to raise the limit.`, { limit });

/** Runs a write whose only unique rule is the agent's name. */
const namingAgent = async <T>(name: string, work: () => Promise<T>): Promise<T> => {
  try {
    return await work();
  } catch (error) {
    if (isUniqueViolation(error, 'agents_owner_name_key')) throw nameTaken(name);
    throw error;
  }
};

const columnsOf = (body: UpdateAgentBody): Updateable<AgentsTable> => ({
  ...(body.name !== undefined && { name: body.name }),
  ...(body.icon !== undefined && { icon: body.icon }),
  ...(body.description !== undefined && { description: body.description }),
  ...(body.instructions !== undefined && { instructions: body.instructions }),
  ...(body.cli !== undefined && { cli: body.cli }),
  ...(body.permissionMode !== undefined && { permission_mode: body.permissionMode }),
  ...(body.provider !== undefined && { provider: body.provider === null ? null : JSON.stringify(body.provider) }),
  ...(body.proxy !== undefined && { proxy: JSON.stringify(body.proxy) }),
  ...(body.environment !== undefined && { environment: JSON.stringify(body.environment) }),
});

export const createAgentService = (deps: AgentServiceDeps): AgentService => {
  const { db } = deps;
  const rules = { demo: deps.demo !== null };
  const present = (record: AgentRecord): Agent => presentAgent(record, stateOf(record, deps).status);
  const sealToken = (agentUid: string, token: string): StoredToken =>
    seal(sealKeyFromMaster(deps.keys.master), secretPlace(agentUid, PROVIDER_TOKEN), token);
  const assertMayRun: AgentService['assertMayRun'] = ({ role }) => assertMayRunAgents(role, deps.runtime.isolation(), deps.allowUnisolated);

  const findOwn = async (source: DatabaseOrTransaction, ownerId: string, agentId: string): Promise<AgentRecord> => {
    const record = await findOwnAgent(source, ownerId, agentId);
    if (!record) throw notFound('This agent');
    return record;
  };

  const presentById = async (source: DatabaseOrTransaction, agentId: string): Promise<Agent> => {
    const record = await findAgentRecord(source, agentId);
    if (!record) throw notFound('This agent');
    return present(record);
  };

  const assertRoom = async (trx: Transaction<Tables>, ownerId: string): Promise<void> => {
    await lockOwner(trx, ownerId);
    const limit = await deps.agentsPerUser(trx);
    if ((await countOwnAgents(trx, ownerId)) >= limit) throw limitReached(limit);
  };

  /** Sets what should be and clears an old failure, so that the reconciler tries again. */
  const setDesired = async (trx: Transaction<Tables>, agentId: string, desired: DesiredState, restart: boolean): Promise<void> => {
    await trx
      .updateTable('agents')
      .set((eb) => ({
        desired_state: desired,
        desired_changed_at: sql<Date>`now()`,
        start_failure: null,
        ...(restart && { generation: eb('generation', '+', 1) }),
      }))
      .where('id', '=', agentId)
      .execute();
    await notify(trx, AGENTS_CHANNEL, agentId);
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

  const create: AgentService['create'] = async (owner, body) => {
    assertMayRun(owner);
    validateConfiguration(body, rules);
    const { providerToken, ...config } = body;
    return namingAgent(body.name, () =>
      inTransaction(db, async (trx) => {
        await assertRoom(trx, owner.id);
        const { id, uid } = await trx
          .insertInto('agents')
          .values({
            owner_id: owner.id,
            name: config.name,
            icon: config.icon,
            description: config.description,
            instructions: config.instructions,
            cli: config.cli,
            permission_mode: config.permissionMode,
            provider: config.provider === null ? null : JSON.stringify(config.provider),
            proxy: JSON.stringify(config.proxy),
            environment: JSON.stringify(config.environment),
          })
          .returning(['id', 'uid'])
          .executeTakeFirstOrThrow();
        if (providerToken !== undefined) await storeToken(trx, id, sealToken(uid, providerToken));
        await notify(trx, AGENTS_CHANNEL, id);
        return presentById(trx, id);
      }),
    );
  };

  const update: AgentService['update'] = (owner, agentId, body) =>
    namingAgent(body.name ?? '', () =>
      inTransaction(db, async (trx) => {
        await trx.selectFrom('agents').select('id').where('id', '=', agentId).where('owner_id', '=', owner.id).forUpdate().execute();
        const { row } = await findOwn(trx, owner.id, agentId);
        validateChange(row, body);
        await trx.updateTable('agents').set({ ...columnsOf(body), updated_at: sql`now()` }).where('id', '=', agentId).execute();
        if (body.providerToken !== undefined) {
          await storeToken(trx, agentId, body.providerToken === null ? null : sealToken(row.uid, body.providerToken));
        }
        await notify(trx, AGENTS_CHANNEL, agentId);
        return presentById(trx, agentId);
      }),
    );

  const remove: AgentService['remove'] = (owner, agentId) =>
    inTransaction(db, async (trx) => {
      const deleted = await trx
        .updateTable('agents')
        .set({ deleted_at: sql`now()` })
        .where('id', '=', agentId)
        .where('owner_id', '=', owner.id)
        .where('deleted_at', 'is', null)
        .returning('deleted_at')
        .executeTakeFirst();
      if (!deleted?.deleted_at) throw notFound('This agent');
      await publishEvent(trx, { userId: owner.id }, { type: 'agent-deleted', agentId });
      await notify(trx, AGENTS_CHANNEL, agentId);
      return { restorableUntil: new Date(deleted.deleted_at.getTime() + DELETION_GRACE_MS).toISOString() };
    });

  const restore: AgentService['restore'] = async (owner, agentId) => {
    const row = await db
      .selectFrom('agents')
      .select('name')
      .where('id', '=', agentId)
      .where('owner_id', '=', owner.id)
      .where('deleted_at', '>', new Date(Date.now() - DELETION_GRACE_MS))
      .executeTakeFirst();
    if (!row) throw notFound('This agent');
    return namingAgent(row.name, () =>
      inTransaction(db, async (trx) => {
        await assertRoom(trx, owner.id);
        const { numUpdatedRows } = await trx
          .updateTable('agents')
          .set({ deleted_at: null, published_agent: null, published_terminals: null })
          .where('id', '=', agentId)
          .where('owner_id', '=', owner.id)
          .where('deleted_at', '>', new Date(Date.now() - DELETION_GRACE_MS))
          .executeTakeFirst();
        if (numUpdatedRows === 0n) throw notFound('This agent');
        await notify(trx, AGENTS_CHANNEL, agentId);
        return presentById(trx, agentId);
      }),
    );
  };

  const restart: AgentService['restart'] = (owner, agentId) => {
    assertMayRun(owner);
    return inTransaction(db, async (trx) => {
      await findOwn(trx, owner.id, agentId);
      await setDesired(trx, agentId, 'awake', true);
      return presentById(trx, agentId);
    });
  };

  const sleep: AgentService['sleep'] = (owner, agentId) =>
    inTransaction(db, async (trx) => {
      const { row } = await findOwn(trx, owner.id, agentId);
      if (row.desired_state !== 'asleep') await setDesired(trx, agentId, 'asleep', false);
      return presentById(trx, agentId);
    });

  const wake: AgentService['wake'] = async (trx, owner, agentId) => {
    assertMayRun(owner);
    const { row } = await findOwn(trx, owner.id, agentId);
    if (row.desired_state !== 'awake') await setDesired(trx, agentId, 'awake', false);
    await touchAgent(trx, agentId);
    return presentById(trx, agentId);
  };

  const own: AgentService['own'] = async (owner, agentId, source = db) => {
    const record = await findOwn(source, owner.id, agentId);
    return { record, state: stateOf(record, deps) };
  };

  return {
    list: async (owner) => {
      const [records, limit] = await Promise.all([listOwnAgents(db, owner.id), deps.agentsPerUser(db)]);
      return { agents: records.map(present), limit };
    },
    get: async (owner, agentId) => present(await findOwn(db, owner.id, agentId)),
    create, update, remove, restore, restart, sleep, wake, own, assertMayRun,
  };
};
