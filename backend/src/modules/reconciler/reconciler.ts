import type { AgentFailure } from '@sac/contracts';
import type { Logger } from 'pino';
import type { Database } from '../../db/database.ts';
import type { NotificationHub } from '../../db/listen.ts';
import { inTransaction } from '../../db/transaction.ts';
import { createWorkQueue } from '../../lib/work-queue.ts';
import type { Runtime } from '../../runtimes/runtime.ts';
import { AGENTS_CHANNEL } from '../agents/channels.ts';
import { STOP_GRACE_MS } from '../agents/lifetimes.ts';
import { findAgentIdByUid, findAgentRecord, listAgentIds, type AgentRecord } from '../agents/repository.ts';
import { buildSpec, specHashOf } from '../agents/spec.ts';
import { stateOf, type AgentState, type StateDeps } from '../agents/state.ts';
import { settleStaleCommands } from '../prompts/dispatcher.ts';
import { decide, type Decision } from './decide.ts';
import { createLeadership } from './leader.ts';
import { publishAgent } from './publisher.ts';
import { recordEnd, recordProgress, recordStart } from './starts.ts';
import { createEndLog } from './end-log.ts';

export interface ReconcilerDeps extends StateDeps {
  readonly db: Database;
  readonly notifications: NotificationHub;
  readonly runtime: Runtime;
  readonly logger: Logger;
  /** Agents started or stopped at the same time. */
  readonly concurrency?: number;
  readonly resyncMs?: number;
  readonly leadership?: { readonly retryMs: number; readonly probeMs: number };
}

export interface Reconciler {
  close(): Promise<void>;
}

const CONCURRENCY = 4;
const RESYNC_MS = 30_000;
const PAGE_SIZE = 500;

const startFailure = (error: unknown): AgentFailure => ({
  code: 'sandbox_start_failed',
  reason: `The sandbox could not be started: ${(error instanceof Error ? error.message : String(error)).slice(0, 500)}`,
  fix: 'Restart the agent; if it happens again, an administrator finds the cause in the server log.',
  output: null,
});

const demoFailure: AgentFailure = {
  code: 'demo_off',
  reason: 'This agent uses the demo model, and the server runs without it.',
  fix: 'Choose another model provider in the settings of the agent, or start the server with DEMO=1.',
  output: null,
};

const endedFailure: AgentFailure = {
  code: 'sandbox_crash_loop',
  reason: 'The sandbox ended by itself several times in a row and is not started again.',
  fix: 'Restart the agent; if it happens again, an administrator finds the cause in the server log.',
  output: null,
};

/**
 * Makes what runs equal to what the database wants. Level-triggered: every wake-up looks at the states of one
 * agent anew. It only acts as leader and on what it has just read, so a database that is away stops nothing.
 */
export const createReconciler = (deps: ReconcilerDeps): Reconciler => {
  const { db, runtime, logger } = deps;
  const endings = createEndLog();
  let closing = false;

  const fail = async (agentId: string, failure: AgentFailure): Promise<void> => {
    await db.updateTable('agents').set({ start_failure: JSON.stringify(failure) }).where('id', '=', agentId).execute();
  };

  /** The new generation is stored before anything is made, so no two sandboxes ever share one. */
  const storeStart = (record: AgentRecord, generation: number): Promise<boolean> =>
    inTransaction(db, async (trx) => {
      const specHash = specHashOf(record.row, record.token, deps);
      const { numUpdatedRows } = await trx
        .updateTable('agents')
        .set({ generation, spec_hash: specHash })
        .where('id', '=', record.row.id)
        .where('generation', '=', record.row.generation)
        .where('desired_state', '=', 'awake')
        .where('deleted_at', 'is', null)
        .executeTakeFirst();
      if (numUpdatedRows === 0n) return false; // changed meanwhile; that change woke us again
      await recordStart(trx, { agentId: record.row.id, generation, specHash });
      return true;
    });

  const start = async (record: AgentRecord, generation: number): Promise<void> => {
    const { row } = record;
    if (row.provider?.preset === 'demo' && !deps.demo) return fail(row.id, demoFailure);
    if (!(await storeStart(record, generation))) return;
    await settleStaleCommands(db, row.id, false);
    try {
      await runtime.ensure(buildSpec(row, record.token, generation, deps));
    } catch (error) {
      if (closing) return; // the next process finds it missing and starts it
      logger.error({ err: error, agentUid: row.uid, generation }, 'sandbox could not be started');
      await recordEnd(db, row.id, generation, 'failed', startFailure(error).reason);
      await fail(row.id, startFailure(error));
    }
  };

  const startAgain = async (record: AgentRecord, generation: number): Promise<void> => {
    const ends = endings.note(record.row.uid, record.row.generation);
    if (ends.unexpected) {
      logger.warn({ agentUid: record.row.uid, generation: record.row.generation }, 'sandbox ended by itself');
      await recordEnd(db, record.row.id, record.row.generation, 'failed', 'The sandbox ended by itself.');
    }
    if (ends.giveUp) return fail(record.row.id, endedFailure);
    if (ends.waitMs > 0) return queue.addAfter(record.row.id, ends.waitMs);
    return start(record, generation);
  };

  const stop = async (record: AgentRecord): Promise<void> => {
    endings.forget(record.row.uid);
    const stopped = runtime.stop(record.row.uid, { graceMs: STOP_GRACE_MS });
    publish.add(record.row.id);
    await stopped;
    await recordEnd(db, record.row.id, record.row.generation, 'ended', 'The sandbox was stopped.');
    await settleStaleCommands(db, record.row.id, true);
  };

  const remove = async (record: AgentRecord): Promise<void> => {
    endings.forget(record.row.uid);
    await runtime.remove(record.row.uid);
    await db.deleteFrom('agents').where('id', '=', record.row.id).where('deleted_at', 'is not', null).execute();
  };

  const act = async (record: AgentRecord, state: AgentState, decision: Decision): Promise<void> => {
    switch (decision.action) {
      case 'none':
        if (decision.recheckAfterMs !== undefined) queue.addAfter(record.row.id, decision.recheckAfterMs);
        return;
      case 'start':
        return state.observed === undefined || state.observed.state === 'gone' ? startAgain(record, decision.generation) : start(record, decision.generation);
      case 'ensure':
        endings.forget(record.row.uid);
        return start(record, record.row.generation);
      case 'stop':
        return stop(record);
      case 'remove':
        return remove(record);
    }
  };

  const reconcile = async (agentId: string): Promise<void> => {
    if (!leadership.isLeader()) return;
    const record = await findAgentRecord(db, agentId);
    if (!record) return;
    const state = stateOf(record, deps);
    if (state.observed) {
      endings.seen(record.row.uid, state.observed);
      await recordProgress(db, agentId, state.observed);
    }
    await act(record, state, decide(state.wanted, state.observed, Date.now()));
    publish.add(agentId);
  };

  const onError = (what: string) => (agentId: string, err: unknown, failures: number) => logger.warn({ err, agentId, failures }, what);
  const queue = createWorkQueue({ work: reconcile, onError: onError('agent could not be reconciled; trying again'), concurrency: deps.concurrency ?? CONCURRENCY });
  const publish = createWorkQueue({
    work: async (agentId) => {
      if (leadership.isLeader()) await publishAgent(deps, agentId);
    },
    onError: onError('state of an agent could not be published; trying again'),
    concurrency: 2,
  });

  const wake = (agentId: string): void => {
    publish.add(agentId);
    queue.add(agentId);
  };

  const resyncAll = async (): Promise<void> => {
    for (let afterId = '0'; ; ) {
      const ids = await listAgentIds(db, afterId, PAGE_SIZE);
      ids.forEach(wake);
      const last = ids.at(-1);
      if (last === undefined) break;
      afterId = last;
    }
    await removeOrphans();
  };

  /** Sandboxes of agents that are not in the database: their rows are gone for good, so they are too. */
  const removeOrphans = async (): Promise<void> => {
    for (const { agentUid, state } of runtime.observed().values()) {
      if (state === 'gone' || state === 'stopping' || (await findAgentIdByUid(db, agentUid)) !== null) continue;
      logger.warn({ agentUid }, 'a sandbox runs for an agent that does not exist; it is stopped');
      await runtime.stop(agentUid, { graceMs: STOP_GRACE_MS });
    }
  };

  const resyncQueue = createWorkQueue({
    work: async () => {
      if (leadership.isLeader()) await resyncAll();
    },
    onError: (_key, err, failures) => logger.warn({ err, failures }, 'agents could not be listed; trying again'),
    concurrency: 1,
  });
  const resync = (): void => resyncQueue.add('all');

  const leadership = createLeadership({ db, logger, onChange: (leader) => leader && resync(), ...deps.leadership });
  const unsubscribe = deps.notifications.subscribe(AGENTS_CHANNEL, (agentId) => {
    if (agentId === null) resync();
    else if (leadership.isLeader()) wake(agentId);
  });
  const ignoreRuntime = runtime.onChange(({ agentUid }) => {
    if (!leadership.isLeader()) return;
    findAgentIdByUid(db, agentUid).then(
      (agentId) => agentId !== null && wake(agentId),
      (err: unknown) => {
        logger.warn({ err, agentUid }, 'agent of a sandbox could not be found; looking at all of them soon');
        resync();
      },
    );
  });
  const timer = setInterval(resync, deps.resyncMs ?? RESYNC_MS);
  timer.unref();

  return {
    close: async () => {
      closing = true;
      clearInterval(timer);
      unsubscribe();
      ignoreRuntime();
      await Promise.all([queue.close(), publish.close(), resyncQueue.close()]);
      await leadership.close();
    },
  };
};
