import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from 'pino';
import { Registry } from 'prom-client';
import { readClock } from '../../db/clock.ts';
import type { Database } from '../../db/database.ts';
import type { NotificationHub } from '../../db/listen.ts';
import { createWorkQueue, type WorkQueue } from '../../lib/work-queue.ts';
import type { RecordingSetting, Runtime } from '../../runtimes/runtime.ts';
import { AGENTS_CHANNEL, ALL_AGENTS } from '../agents/channels.ts';
import { findAgentIdByUid, findAgentRecord, listAgentRecords, type AgentRecord } from '../agents/records.ts';
import { stateOf, type AgentState, type StateDeps } from '../agents/state.ts';
import { createActions, type Actions } from './actions.ts';
import { decide, wantsSandbox, type Decision } from './decide.ts';
import { createLeadership, type Leadership } from './leader.ts';
import { createReconcilerMetrics, type ReconcilerMetrics } from './metrics.ts';
import { isPublished, publishAgent } from './publisher.ts';
import { endOrphans } from './orphans.ts';
import { recordProgress } from './starts.ts';
import { createTurns } from './turns.ts';

export interface ReconcilerDeps extends StateDeps {
  readonly db: Database;
  readonly notifications: NotificationHub;
  readonly runtime: Runtime;
  readonly logger: Logger;
  readonly recording: () => Promise<RecordingSetting>;
  /** Where it says how it keeps up. */
  readonly registry?: Registry;
  /** Agents started at the same time. */
  readonly concurrency?: number;
  readonly resyncMs?: number;
  readonly leadership?: { readonly retryMs: number; readonly probeMs: number };
}

export interface Reconciler {
  /** Ends background work; sandboxes go on. */
  close(): Promise<void>;
}

const CONCURRENCY = 4;
/** Ends mostly wait: on a node that does not answer for almost a minute each. */
const END_CONCURRENCY = 32;
const PUBLISH_CONCURRENCY = 2;
const RESYNC_MS = 30_000;
/** Of the rounds that only make sure: with thousands of agents each takes minutes, and costs little at any time. */
const RESYNC_PER_SECOND = 10;
const PAGE_SIZE = 200;

const isEnd = ({ action }: Decision): boolean => action === 'stop' || action === 'remove';

/** A database restored from a backup may be behind what sleeps; what runs, `decide` has seen. */
const aheadOf = (last: number, decision: Decision): Decision =>
  decision.action === 'start' ? { ...decision, generation: Math.max(decision.generation, last + 1) } : decision;

const carryOut = async (
  decision: Decision,
  record: AgentRecord,
  state: AgentState,
  actions: Actions,
): Promise<{ recheckAfterMs?: number }> => {
  switch (decision.action) {
    case 'none':
      if (wantsSandbox(state.wanted) && state.observed?.generation === record.row.generation)
        await actions.confirm(record);
      return decision;
    case 'start': {
      const missing = state.observed === undefined || state.observed.state === 'gone';
      if (!missing) await actions.start(record, decision.generation);
      const waitMs = missing ? await actions.startMissing(record, decision.generation) : 0;
      return waitMs > 0 ? { recheckAfterMs: waitMs } : {};
    }
    case 'ensure':
      await actions.replace(record);
      return {};
    case 'stop':
      await actions.stop(record);
      return {};
    case 'remove':
      await actions.remove(record);
      return {};
  }
};

/** Pages through all agents. */
const forEachAgent = async (db: Database, visit: (record: AgentRecord) => Promise<void> | void): Promise<void> => {
  for (let afterId: string | undefined = '0'; afterId !== undefined;) {
    const records: AgentRecord[] = await listAgentRecords(db, afterId, PAGE_SIZE);
    for (const record of records) await visit(record);
    afterId = records.at(-1)?.row.id;
  }
};

interface Queues {
  readonly agents: WorkQueue;
  readonly ends: WorkQueue;
  readonly publish: WorkQueue;
  readonly resync: WorkQueue;
}

interface QueueParts {
  readonly actions: Actions;
  readonly metrics: ReconcilerMetrics;
  readonly isLeader: () => boolean;
}

type Step = 'done' | 'end';

/** One step of one agent; one that ends a sandbox is only taken where `mayEnd`. */
const createStep = (
  deps: ReconcilerDeps,
  { actions }: QueueParts,
  queues: () => Pick<Queues, 'agents' | 'publish'>,
) => {
  const { db } = deps;
  return async (agentId: string, mayEnd: boolean): Promise<Step> => {
    const record = await findAgentRecord(db, agentId);
    if (!record) return 'done';
    const state = stateOf(record, deps);
    if (state.observed) {
      actions.endings.seen(record.row.uid, state.observed);
      await recordProgress(db, agentId, state.observed);
    }
    // The clock that wrote when it was deleted, which nothing else here depends on.
    const nowMs = state.wanted.deletedAt === null ? Date.now() : await readClock(db);
    const last = deps.runtime.lastGeneration?.(record.row.uid) ?? 0;
    const decision = aheadOf(last, decide(state.wanted, state.observed, nowMs));
    if (isEnd(decision) && !mayEnd) return 'end';
    const { recheckAfterMs } = await carryOut(decision, record, state, actions);
    if (recheckAfterMs !== undefined) queues().agents.addAfter(agentId, recheckAfterMs);
    queues().publish.add(agentId);
    return 'done';
  };
};

/**
 * Nothing has to be done for this agent, and nobody told anything: so of thousands, after a start of this server, those
 * come first that wait for something. What else a step makes sure of is left to the slow rounds.
 */
const isSettled = (deps: ReconcilerDeps, { endings }: Actions, record: AgentRecord): boolean => {
  const state = stateOf(record, deps);
  if (state.observed) endings.seen(record.row.uid, state.observed);
  if (state.wanted.deletedAt !== null) return false;
  return decide(state.wanted, state.observed, Date.now()).action === 'none' && isPublished(record, state);
};

/**
 * Publishing has a queue of its own, and so have ends: neither it nor a start must wait for sandboxes that take their time
 * to stop. What concerns one agent still happens one after the other.
 */
const createQueues = (deps: ReconcilerDeps, parts: QueueParts): Queues => {
  const { metrics, isLeader } = parts;
  const { db, logger } = deps;
  const onError = (what: string) => (key: string, err: unknown, failures: number) =>
    logger.warn({ err, key, failures }, what);
  const ifLeader = (work: (key: string) => Promise<void>) => async (key: string) => {
    if (isLeader()) await work(key);
  };
  const turns = createTurns((agentId) => agents.add(agentId));
  const step = createStep(deps, parts, () => ({ agents, publish }));

  const agents = createWorkQueue({
    work: metrics.timed(
      'agents',
      ifLeader(async (agentId) => {
        if ((await turns.take(agentId, () => step(agentId, false))) !== 'end') return;
        publish.add(agentId);
        ends.add(agentId);
      }),
    ),
    onError: onError('agent could not be reconciled; trying again'),
    concurrency: deps.concurrency ?? CONCURRENCY,
  });
  const ends = createWorkQueue({
    work: metrics.timed(
      'ends',
      ifLeader(async (agentId) => void (await turns.take(agentId, () => step(agentId, true)))),
    ),
    onError: onError('sandbox of an agent could not be ended; trying again'),
    concurrency: END_CONCURRENCY,
  });
  const publish = createWorkQueue({
    work: metrics.timed(
      'publish',
      ifLeader((agentId) => publishAgent(deps, agentId)),
    ),
    onError: onError('state of an agent could not be published; trying again'),
    concurrency: PUBLISH_CONCURRENCY,
  });
  const namedOrphans = new Set<string>();
  const resync = createWorkQueue({
    work: async (round, signal) => {
      if (!isLeader()) return;
      if (round === 'orphans') return endOrphans({ ...deps, named: namedOrphans });
      await forEachAgent(db, async (record) => {
        if (round === 'slow') {
          agents.add(record.row.id);
          return delay(1_000 / RESYNC_PER_SECOND, undefined, { signal, ref: false });
        }
        if (!isSettled(deps, parts.actions, record)) agents.add(record.row.id);
      });
      resync.add('orphans');
      if (round === 'now') resync.add('slow');
    },
    onError: onError('agents could not be listed; trying again'),
    concurrency: 3,
  });
  return { agents, ends, publish, resync };
};

/**
 * Makes what runs equal to what the database wants. Level-triggered: every wake-up looks at the states of one
 * agent anew. It only acts as leader and on what it has just read, so a database that is away stops nothing.
 */
export const createReconciler = (deps: ReconcilerDeps): Reconciler => {
  const { db, runtime, logger } = deps;
  const actions = createActions(deps);
  const isLeader = (): boolean => leadership.isLeader();
  const metrics = createReconcilerMetrics(deps.registry ?? new Registry());
  const queues = createQueues(deps, { actions, metrics, isLeader });
  metrics.show({ agents: queues.agents, ends: queues.ends, publish: queues.publish }, isLeader);
  const resync = (round: 'now' | 'slow' = 'now'): void => queues.resync.add(round);
  const wake = (agentId: string): void => {
    queues.publish.add(agentId);
    queues.agents.add(agentId);
  };

  const leadership: Leadership = createLeadership({
    db,
    logger,
    onChange: (leader) => leader && resync(),
    ...deps.leadership,
  });
  const unsubscribe = deps.notifications.subscribe(AGENTS_CHANNEL, (agentId) => {
    if (agentId === null || agentId === ALL_AGENTS) resync();
    else if (isLeader()) wake(agentId);
  });
  const ignoreRuntime = runtime.onChange((sandbox) => {
    const { agentUid } = sandbox;
    if (!isLeader()) return;
    metrics.seen(sandbox);
    findAgentIdByUid(db, agentUid).then(
      (agentId) => agentId !== null && wake(agentId),
      (err: unknown) => {
        logger.warn({ err, agentUid }, 'agent of a sandbox could not be found; looking at all of them soon');
        resync();
      },
    );
  });
  const timer = setInterval(() => resync('slow'), deps.resyncMs ?? RESYNC_MS);
  timer.unref();

  return {
    close: async () => {
      actions.closing();
      clearInterval(timer);
      unsubscribe();
      ignoreRuntime();
      await Promise.all([queues.agents, queues.ends, queues.publish, queues.resync].map((queue) => queue.close()));
      await leadership.close();
    },
  };
};
