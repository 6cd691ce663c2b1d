import type { Agent, Session } from '@sac/contracts';
import { sql } from 'kysely';
import type { AuthenticatedUser } from '../../lib/handlers.ts';
import type { SessionRow } from '../../db/agent-tables.ts';
import type { Database, DatabaseOrTransaction } from '../../db/database.ts';
import { inTransaction } from '../../db/transaction.ts';
import { AppError, notFound } from '../../lib/app-error.ts';
import { notePresence, touchAgent } from '../agents/records.ts';
import type { AgentService } from '../agents/service.ts';

type Owner = Pick<AuthenticatedUser, 'id' | 'role'>;

/** Tabs and devices of one person. Closed browsers often cannot say so; those sessions end by themselves. */
const MAX_OPEN_SESSIONS = 1_000;
/** A session without a terminal connection opened for this long has ended. A connection lives 24 h at most. */
export const SESSION_IDLE_MS = 48 * 60 * 60_000;
const SESSION_KEPT_MS = 30 * 24 * 60 * 60_000;

export interface SessionService {
  open(owner: Owner, agentId: string): Promise<{ session: Session; agent: Agent }>;
  close(owner: Pick<Owner, 'id'>, sessionId: string): Promise<void>;
  /** The agent of an open session of this person; notes that both are in use. Throws not_found. */
  use(owner: Pick<Owner, 'id'>, sessionId: string): Promise<{ agentId: string }>;
  /** A person uses a page of this session. Throws not_found. */
  notePresence(owner: Pick<Owner, 'id'>, sessionId: string): Promise<void>;
  /** Ends forgotten sessions, deletes old ones. */
  expire(now: Date, source?: DatabaseOrTransaction): Promise<void>;
}

const present = (row: SessionRow): Session => ({
  id: row.id,
  agentId: row.agent_id,
  openedAt: row.opened_at.toISOString(),
  lastActiveAt: row.last_active_at.toISOString(),
});

const assertRoom = async (db: DatabaseOrTransaction, userId: string): Promise<void> => {
  const { count } = await db
    .selectFrom('sessions')
    .select((eb) => eb.fn.countAll<string>().as('count'))
    .where('user_id', '=', userId)
    .where('ended_at', 'is', null)
    .executeTakeFirstOrThrow();
  if (Number(count) < MAX_OPEN_SESSIONS) return;
  throw new AppError('limit_reached', `${MAX_OPEN_SESSIONS} sessions are open. Close some windows, then try again.`, {
    limit: MAX_OPEN_SESSIONS,
  });
};

export const createSessionService = (deps: {
  readonly db: Database;
  readonly agents: AgentService;
}): SessionService => {
  const { db, agents } = deps;
  const use: SessionService['use'] = async (owner, sessionId) => {
    const row = await db
      .updateTable('sessions')
      .set({ last_active_at: sql`now()` })
      .where('id', '=', sessionId)
      .where('user_id', '=', owner.id)
      .where('ended_at', 'is', null)
      .returning('agent_id')
      .executeTakeFirst();
    if (!row) throw notFound('This session');
    await touchAgent(db, row.agent_id);
    return { agentId: row.agent_id };
  };

  return {
    use,
    notePresence: async (owner, sessionId) => notePresence(db, (await use(owner, sessionId)).agentId),
    open: (owner, agentId) =>
      inTransaction(db, async (trx) => {
        await assertRoom(trx, owner.id);
        const agent = await agents.wake(trx, owner, agentId);
        const row = await trx
          .insertInto('sessions')
          .values({ user_id: owner.id, agent_id: agentId })
          .returningAll()
          .executeTakeFirstOrThrow();
        return { session: present(row), agent };
      }),

    close: async (owner, sessionId) => {
      const { numUpdatedRows } = await db
        .updateTable('sessions')
        .set((eb) => ({ ended_at: eb.fn.coalesce('ended_at', sql<Date>`now()`) }))
        .where('id', '=', sessionId)
        .where('user_id', '=', owner.id)
        .executeTakeFirst();
      if (numUpdatedRows === 0n) throw notFound('This session');
    },

    expire: async (now, source = db) => {
      const idleSince = new Date(now.getTime() - SESSION_IDLE_MS);
      await source
        .updateTable('sessions')
        .set({ ended_at: now })
        .where('ended_at', 'is', null)
        .where('last_active_at', '<', idleSince)
        .execute();
      await source
        .deleteFrom('sessions')
        .where('last_active_at', '<', new Date(now.getTime() - SESSION_KEPT_MS))
        .where('ended_at', 'is not', null)
        .execute();
    },
  };
};
