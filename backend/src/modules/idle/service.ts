import type { Agent, AwakeReason } from '@sac/contracts';
import { sql } from 'kysely';
import type { Logger } from 'pino';
import type { Database, DatabaseOrTransaction } from '../../db/database.ts';
import type { AuthenticatedUser } from '../../lib/handlers.ts';
import { AGENTS_CHANNEL, notify } from '../agents/channels.ts';
import { findAgentRecord, type AgentRecord } from '../agents/records.ts';
import type { AgentService } from '../agents/service.ts';
import { stateOf, type StateDeps } from '../agents/state.ts';
import { explainAwake, type IdleEvidence } from './policy.ts';

type Owner = Pick<AuthenticatedUser, 'id' | 'role'>;

export interface IdleService {
  explain(owner: Owner, agentId: string): Promise<AwakeReason>;
  /** From now; 0 ends it. */
  keepAwake(owner: Owner, agentId: string, minutes: number): Promise<Agent>;
  /** Puts to sleep what is idle. Run by one replica at a time. */
  sleepIdle(trx: DatabaseOrTransaction): Promise<void>;
}

interface Deps extends StateDeps {
  readonly db: Database;
  readonly agents: AgentService;
  readonly logger: Pick<Logger, 'info'>;
  /** The system's setting. */
  readonly idleMinutes: (db: DatabaseOrTransaction) => Promise<number>;
}

/** Looked at in one run; the others have their chance in the next ones. */
const BATCH = 500;

/** Nobody was there for its time and nobody keeps it awake; what it does is asked afterwards. */
const findUnattended = async (trx: DatabaseOrTransaction, systemMinutes: number): Promise<string[]> => {
  const minutes = sql<number>`coalesce(idle_minutes, (user_settings.value #>> '{}')::int, ${systemMinutes})`;
  const rows = await trx
    .selectFrom('agents')
    .leftJoin('user_settings', (join) =>
      join.onRef('user_settings.user_id', '=', 'agents.owner_id').on('user_settings.key', '=', 'idleMinutes'),
    )
    .select('id')
    .where('desired_state', '=', 'awake')
    .where('deleted_at', 'is', null)
    .where(sql<boolean>`${minutes} > 0`)
    .where(sql<boolean>`present_at < now() - make_interval(mins => ${minutes})`)
    .where(sql<boolean>`coalesce(keep_awake_until, 'epoch') < now()`)
    // Not the longest unattended first: many of those may be at work for days, and the others would never be looked at.
    .orderBy(sql`random()`)
    .limit(BATCH)
    .execute();
  return rows.map(({ id }) => id);
};

const countOpenPrompts = async (db: DatabaseOrTransaction, agentId: string): Promise<number> => {
  const { count } = await db
    .selectFrom('prompts')
    .select((eb) => eb.fn.countAll<string>().as('count'))
    .where('agent_id', '=', agentId)
    .where('state', 'in', ['queued', 'delivering'])
    .executeTakeFirstOrThrow();
  return Number(count);
};

export const createIdleService = (deps: Deps): IdleService => {
  const evidenceOf = async (
    db: DatabaseOrTransaction,
    record: AgentRecord,
    systemMinutes: number,
  ): Promise<IdleEvidence> => {
    const { row } = record;
    const { status, report } = stateOf(record, deps);
    return {
      desired: row.desired_state,
      desiredChangedAt: row.desired_changed_at,
      sleptBecause: row.slept_because,
      status,
      cli: row.cli,
      terminals: report?.terminals ?? [],
      openPrompts: await countOpenPrompts(db, row.id),
      keepAwakeUntil: row.keep_awake_until,
      presentAt: row.present_at,
      idleMinutes: row.idle_minutes ?? record.ownerIdleMinutes ?? systemMinutes,
    };
  };

  /** Only if it still is as it was when it was looked at: whoever comes at this moment finds it awake. */
  const putToSleep = async (trx: DatabaseOrTransaction, { row }: AgentRecord): Promise<boolean> => {
    const { numUpdatedRows } = await trx
      .updateTable('agents')
      .set({
        desired_state: 'asleep',
        desired_changed_at: sql`now()`,
        start_failure: null,
        start_failed_at: null,
        slept_because: 'idle',
      })
      .where('id', '=', row.id)
      .where('desired_state', '=', 'awake')
      .where('generation', '=', row.generation)
      .where(sql<boolean>`date_trunc('milliseconds', present_at) = ${row.present_at}`)
      .executeTakeFirst();
    if (numUpdatedRows > 0n) await notify(trx, AGENTS_CHANNEL, row.id);
    return numUpdatedRows > 0n;
  };

  return {
    explain: async (owner, agentId) => {
      const { record } = await deps.agents.own(owner, agentId);
      return explainAwake(await evidenceOf(deps.db, record, await deps.idleMinutes(deps.db)), Date.now());
    },
    keepAwake: async (owner, agentId, minutes) => {
      await deps.agents.own(owner, agentId);
      const until = minutes === 0 ? null : new Date(Date.now() + minutes * 60_000);
      await deps.db.updateTable('agents').set({ keep_awake_until: until }).where('id', '=', agentId).execute();
      await notify(deps.db, AGENTS_CHANNEL, agentId);
      return deps.agents.get(owner, agentId);
    },
    sleepIdle: async (trx) => {
      const systemMinutes = await deps.idleMinutes(trx);
      for (const agentId of await findUnattended(trx, systemMinutes)) {
        const record = await findAgentRecord(trx, agentId);
        if (!record) continue;
        const reason = explainAwake(await evidenceOf(trx, record, systemMinutes), Date.now());
        if (reason.code === 'idle' && (await putToSleep(trx, record)))
          deps.logger.info({ agentUid: record.row.uid, idleMinutes: reason.idleMinutes }, 'idle agent is put to sleep');
      }
    },
  };
};
