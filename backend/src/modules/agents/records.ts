import type { SandboxReport, User } from '@sac/contracts';
import { sql } from 'kysely';
import type { AgentRow } from '../../db/agent-tables.ts';
import type { DatabaseOrTransaction } from '../../db/database.ts';
import { podLevel, podSettingKeys } from '../pods/levels.ts';
import { PROVIDER_TOKEN, type SpecRecord } from './spec.ts';

/** An agent with everything its state is derived from. */
export interface AgentRecord extends SpecRecord {
  readonly row: AgentRow;
  readonly report: { readonly generation: number; readonly report: SandboxReport } | null;
  readonly owner: { readonly role: User['role']; readonly status: User['status'] };
  /** Of the owner; null: as the system's setting says. */
  readonly ownerIdleMinutes: number | null;
}

const selectRecords = (db: DatabaseOrTransaction) =>
  db
    .selectFrom('agents')
    .innerJoin('users', 'users.id', 'agents.owner_id')
    .leftJoin('agent_secrets', (join) =>
      join.onRef('agent_secrets.agent_id', '=', 'agents.id').on('agent_secrets.name', '=', PROVIDER_TOKEN),
    )
    .leftJoin('sandbox_reports', 'sandbox_reports.agent_id', 'agents.id')
    .selectAll('agents')
    .select([
      'users.role as owner_role',
      'users.status as owner_status',
      'agent_secrets.key_id as token_key_id',
      'agent_secrets.sealed as token_sealed',
      'sandbox_reports.generation as report_generation',
      'sandbox_reports.report as report',
    ])
    .select((eb) => [
      eb
        .selectFrom('user_settings')
        .whereRef('user_settings.user_id', '=', 'agents.owner_id')
        .select(sql<Record<string, unknown> | null>`jsonb_object_agg(key, value)`.as('settings'))
        .as('user_settings'),
      eb
        .selectFrom('system_settings')
        .where('key', 'in', podSettingKeys)
        .select(sql<Record<string, unknown> | null>`jsonb_object_agg(key, value)`.as('settings'))
        .as('system_settings'),
    ]);

type Joined = Awaited<ReturnType<ReturnType<typeof selectRecords>['executeTakeFirstOrThrow']>>;

const toRecord = (joined: Joined): AgentRecord => {
  const { owner_role, owner_status, token_key_id, token_sealed, report_generation, report, ...rest } = joined;
  const { user_settings, system_settings, ...row } = rest;
  const idleMinutes = user_settings?.['idleMinutes'];
  return {
    row,
    token: token_key_id !== null && token_sealed !== null ? { keyId: token_key_id, sealed: token_sealed } : null,
    report: report !== null && report_generation !== null ? { generation: report_generation, report } : null,
    owner: { role: owner_role, status: owner_status },
    ownerIdleMinutes: typeof idleMinutes === 'number' ? idleMinutes : null,
    podLevels: { system: podLevel(system_settings), user: podLevel(user_settings) },
  };
};

/** Any agent, deleted ones too: for background work, never for a request of a person. */
export const findAgentRecord = async (db: DatabaseOrTransaction, agentId: string): Promise<AgentRecord | null> => {
  const joined = await selectRecords(db).where('agents.id', '=', agentId).executeTakeFirst();
  return joined ? toRecord(joined) : null;
};

/** The owner's live agent, or null: also when it exists and belongs to somebody else. */
export const findOwnAgent = async (
  db: DatabaseOrTransaction,
  ownerId: string,
  agentId: string,
): Promise<AgentRecord | null> => {
  const joined = await selectRecords(db)
    .where('agents.id', '=', agentId)
    .where('agents.owner_id', '=', ownerId)
    .where('agents.deleted_at', 'is', null)
    .executeTakeFirst();
  return joined ? toRecord(joined) : null;
};

export const listOwnAgents = async (db: DatabaseOrTransaction, ownerId: string): Promise<AgentRecord[]> => {
  const joined = await selectRecords(db)
    .where('agents.owner_id', '=', ownerId)
    .where('agents.deleted_at', 'is', null)
    .orderBy('agents.id')
    .limit(1_000)
    .execute();
  return joined.map(toRecord);
};

/** All agents a reconciler has to look at, deleted ones too, in order. `afterId` pages. */
export const listAgentRecords = async (
  db: DatabaseOrTransaction,
  afterId: string,
  limit: number,
): Promise<AgentRecord[]> => {
  const joined = await selectRecords(db).where('agents.id', '>', afterId).orderBy('agents.id').limit(limit).execute();
  return joined.map(toRecord);
};

export const findAgentIdByUid = async (db: DatabaseOrTransaction, uid: string): Promise<string | null> => {
  const row = await db.selectFrom('agents').select('id').where('uid', '=', uid).executeTakeFirst();
  return row?.id ?? null;
};

/** Notes that a person is there, which keeps the agent awake for a while. */
export const notePresence = async (db: DatabaseOrTransaction, agentId: string): Promise<void> => {
  await db
    .updateTable('agents')
    .set({ last_active_at: sql`now()`, present_at: sql`now()` })
    .where('id', '=', agentId)
    .execute();
};

/** Notes that something of a person uses the agent; it may be a page nobody looks at. */
export const touchAgent = async (db: DatabaseOrTransaction, agentId: string): Promise<void> => {
  await db
    .updateTable('agents')
    .set({ last_active_at: sql`now()` })
    .where('id', '=', agentId)
    .execute();
};

export const countDemoAgents = async (db: DatabaseOrTransaction): Promise<number> => {
  const { count } = await db
    .selectFrom('agents')
    .select((eb) => eb.fn.countAll<string>().as('count'))
    .where(sql<string>`provider->>'preset'`, '=', 'demo')
    .where('deleted_at', 'is', null)
    .executeTakeFirstOrThrow();
  return Number(count);
};
