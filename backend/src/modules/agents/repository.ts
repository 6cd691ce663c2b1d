import type { CreateAgentBody, PodValues, UpdateAgentBody } from '@sac/contracts';
import { sql, type Updateable } from 'kysely';
import type { AgentsTable, DesiredState } from '../../db/agent-tables.ts';
import type { DatabaseOrTransaction } from '../../db/database.ts';
import { AGENTS_CHANNEL, notify } from './channels.ts';
import { PROVIDER_TOKEN, type StoredToken } from './spec.ts';

export const countOwnAgents = async (db: DatabaseOrTransaction, ownerId: string): Promise<number> => {
  const { count } = await db
    .selectFrom('agents')
    .select((eb) => eb.fn.countAll<string>().as('count'))
    .where('owner_id', '=', ownerId)
    .where('deleted_at', 'is', null)
    .executeTakeFirstOrThrow();
  return Number(count);
};

/** Agents of an account that are deleted and not erased yet, and when the first of them was deleted. */
export const findDeletedAgents = async (
  db: DatabaseOrTransaction,
  ownerId: string,
): Promise<{ readonly count: number; readonly firstAt: Date | null }> => {
  const { count, firstAt } = await db
    .selectFrom('agents')
    .select((eb) => [eb.fn.countAll<string>().as('count'), eb.fn.min('deleted_at').as('firstAt')])
    .where('owner_id', '=', ownerId)
    .where('deleted_at', 'is not', null)
    .executeTakeFirstOrThrow();
  return { count: Number(count), firstAt };
};

/** Makes creations of one account wait for each other, so that the limit holds. */
export const lockOwner = async (db: DatabaseOrTransaction, ownerId: string): Promise<void> => {
  await db.selectFrom('users').select('id').where('id', '=', ownerId).forUpdate().execute();
};

export const storeToken = async (
  db: DatabaseOrTransaction,
  agentId: string,
  token: StoredToken | null,
): Promise<void> => {
  if (!token) {
    await db.deleteFrom('agent_secrets').where('agent_id', '=', agentId).where('name', '=', PROVIDER_TOKEN).execute();
    return;
  }
  const values = { key_id: token.keyId, sealed: token.sealed };
  await db
    .insertInto('agent_secrets')
    .values({ agent_id: agentId, name: PROVIDER_TOKEN, ...values })
    .onConflict((conflict) => conflict.columns(['agent_id', 'name']).doUpdateSet({ ...values, updated_at: sql`now()` }))
    .execute();
};

/** Returns id and uid of the new agent. Throws the unique violation of its name. */
export const insertAgent = (
  db: DatabaseOrTransaction,
  ownerId: string,
  config: Omit<CreateAgentBody, 'providerToken'>,
  pod: PodValues,
): Promise<{ id: string; uid: string }> =>
  db
    .insertInto('agents')
    .values({
      owner_id: ownerId,
      name: config.name,
      icon: config.icon,
      description: config.description,
      instructions: config.instructions,
      cli: config.cli,
      permission_mode: config.permissionMode,
      provider: config.provider === null ? null : JSON.stringify(config.provider),
      proxy: JSON.stringify(config.proxy),
      environment: JSON.stringify(config.environment),
      idle_minutes: config.idleMinutes ?? null,
      recording_megabytes: config.recordingMegabytes ?? null,
      pod: JSON.stringify(pod),
    })
    .returning(['id', 'uid'])
    .executeTakeFirstOrThrow();

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
  ...(body.idleMinutes !== undefined && { idle_minutes: body.idleMinutes }),
  ...(body.recordingMegabytes !== undefined && { recording_megabytes: body.recordingMegabytes }),
});

/** `pod`: all of its values; undefined leaves them as they are. */
export const changeAgent = async (
  db: DatabaseOrTransaction,
  agentId: string,
  body: UpdateAgentBody,
  pod: PodValues | undefined,
): Promise<void> => {
  await db
    .updateTable('agents')
    .set({ ...columnsOf(body), ...(pod && { pod: JSON.stringify(pod) }), updated_at: sql`now()` })
    .where('id', '=', agentId)
    .execute();
};

/** Makes changes of one agent wait for each other. */
export const lockAgent = async (db: DatabaseOrTransaction, ownerId: string, agentId: string): Promise<void> => {
  await db
    .selectFrom('agents')
    .select('id')
    .where('id', '=', agentId)
    .where('owner_id', '=', ownerId)
    .forUpdate()
    .execute();
};

/** When it was deleted; undefined when there is no such agent of this owner. */
export const markDeleted = (
  db: DatabaseOrTransaction,
  ownerId: string,
  agentId: string,
): Promise<{ deleted_at: Date | null } | undefined> =>
  db
    .updateTable('agents')
    .set({ deleted_at: sql`now()` })
    .where('id', '=', agentId)
    .where('owner_id', '=', ownerId)
    .where('deleted_at', 'is', null)
    .returning('deleted_at')
    .executeTakeFirst();

/** Name of an own agent deleted after `since`. */
export const findDeletedName = async (
  db: DatabaseOrTransaction,
  ownerId: string,
  agentId: string,
  since: Date,
): Promise<string | null> => {
  const row = await db
    .selectFrom('agents')
    .select('name')
    .where('id', '=', agentId)
    .where('owner_id', '=', ownerId)
    .where('deleted_at', '>', since)
    .executeTakeFirst();
  return row?.name ?? null;
};

/** Browsers have been told that it is gone, so they are told anew what it looks like. */
export const unmarkDeleted = async (db: DatabaseOrTransaction, agentId: string): Promise<void> => {
  await db
    .updateTable('agents')
    .set({ deleted_at: null, published_agent: null, published_terminals: null })
    .where('id', '=', agentId)
    .execute();
};

/** Sets what should be and clears an old failure, so that the reconciler, which this wakes, tries again. */
export const setDesired = async (
  db: DatabaseOrTransaction,
  agentId: string,
  change: { readonly desired: DesiredState; readonly newGeneration: boolean },
): Promise<void> => {
  await db
    .updateTable('agents')
    .set((eb) => ({
      desired_state: change.desired,
      desired_changed_at: sql<Date>`now()`,
      start_failure: null,
      start_failed_at: null,
      slept_because: change.desired === 'asleep' ? 'person' : null,
      ...(change.newGeneration && { generation: eb('generation', '+', 1) }),
    }))
    .where('id', '=', agentId)
    .execute();
  await notify(db, AGENTS_CHANNEL, agentId);
};
