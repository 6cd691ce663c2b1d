import type { agentRoutes, promptRoutes, sessionRoutes } from '@sac/contracts';
import type { FastifyInstance } from 'fastify';
import type { Logger } from 'pino';
import type { Registry } from 'prom-client';
import type { Keys } from '../config/keys.ts';
import type { Database, DatabaseOrTransaction } from '../db/database.ts';
import type { NotificationHub } from '../db/listen.ts';
import type { Handlers } from '../lib/handlers.ts';
import type { RecordingSetting, Runtime } from '../runtimes/runtime.ts';
import { agentHandlers } from './agents/routes.ts';
import { createAgentService, type AgentService } from './agents/service.ts';
import { openToken } from './agents/spec.ts';
import { createCommandBus } from './commands/command-bus.ts';
import { createCommandStreams } from './commands/command-stream.ts';
import { registerInternalRoutes } from './commands/internal-routes.ts';
import { abandonExpiredCommands, deleteSettledCommands } from './commands/repository.ts';
import { deleteSettledPrompts } from './prompts/repository.ts';
import type { Installation } from './pods/values.ts';
import { promptHandlers } from './prompts/routes.ts';
import { createPromptService } from './prompts/service.ts';
import { createUploadStore } from './prompts/upload-store.ts';
import { createUploadService } from './prompts/uploads.ts';
import type { OutboundRules } from './providers/address-rules.ts';
import { createIdleService } from './idle/service.ts';
import { createConnectionTester } from './providers/connection-test.ts';
import { createReconciler, type Reconciler, type ReconcilerDeps } from './reconciler/reconciler.ts';
import { sessionHandlers } from './sessions/routes.ts';
import { createSessionService } from './sessions/service.ts';
import { createTerminalService } from './terminals/service.ts';

export interface AgentFeaturesDeps {
  readonly db: Database;
  readonly notifications: NotificationHub;
  readonly runtime: Runtime;
  readonly keys: Keys;
  readonly logger: Logger;
  readonly demo: { readonly modelUrl: string } | null;
  /** Null where agents do not run in a cluster. */
  readonly pods: Installation | null;
  readonly allowUnisolated: boolean;
  /** CIDR ranges of the connection test. */
  readonly outbound: OutboundRules;
  /** Directory for files on their way into a sandbox; made when it is missing. */
  readonly uploadDir: string;
  /** Of all uploads on their way at one time; null: no limit but the disk. */
  readonly uploadsMaxBytes: number | null;
  /** Where other replicas reach this one; null: there are none. */
  readonly replicaUrl: string | null;
  readonly agentsPerUser: (db: DatabaseOrTransaction, ownerId: string) => Promise<number>;
  readonly recording: () => Promise<RecordingSetting>;
  /** After how many minutes without work and people an agent is put to sleep; 0: never. */
  readonly idleMinutes: (db: DatabaseOrTransaction) => Promise<number>;
  /** The clock that tickets are signed by, epoch milliseconds. */
  readonly ticketClock: () => Promise<number>;
  /** Where background work says how it keeps up. */
  readonly registry?: Registry;
  /** Intervals of background work, for tests. */
  readonly tuning?: Pick<ReconcilerDeps, 'resyncMs' | 'leadership' | 'concurrency'>;
}

type AgentHandlers = Pick<Handlers, keyof typeof agentRoutes | keyof typeof sessionRoutes | keyof typeof promptRoutes>;

/** Work repeated by one replica at a time, inside a transaction. */
export interface HousekeepingJob {
  readonly name: string;
  readonly intervalMs: number;
  readonly run: (trx: DatabaseOrTransaction) => Promise<void>;
}

export interface AgentFeatures {
  readonly handlers: AgentHandlers;
  /** For other features: who owns which agent. */
  readonly agents: AgentService;
  /** Housekeeping, run by one replica at a time. */
  readonly jobs: readonly HousekeepingJob[];
  /** Adds the routes sidecars use to an instance of their own. */
  registerInternalRoutes(internal: FastifyInstance): void;
  /** Begins background work. The runtime has been started. */
  start(): Promise<void>;
  /** Ends the sidecars' streams, which would keep the internal listener open; new ones end at once. */
  endStreams(): void;
  /** Ends background work and the sidecars' streams; sandboxes go on. */
  close(): Promise<void>;
}

const IDLE_INTERVAL_MS = 30_000;
const HOUR_MS = 60 * 60_000;
/** Well within the time after which the health page speaks of commands that nobody settled. */
const COMMANDS_INTERVAL_MS = 2 * 60_000;
const COMMANDS_KEPT_MS = 24 * HOUR_MS;
const PROMPTS_KEPT_MS = 30 * 24 * HOUR_MS;

/** Everything around agents: their configuration, sandboxes, sessions, terminals, prompts and uploads. */
export const createAgentFeatures = (deps: AgentFeaturesDeps): AgentFeatures => {
  const { db, notifications, logger, keys } = deps;
  const bus = createCommandBus({ db, notifications, logger });
  const streams = createCommandStreams({ db, notifications, logger });
  const uploads = createUploadStore(deps.uploadDir, deps.uploadsMaxBytes);
  const agents = createAgentService(deps);
  const idle = createIdleService({ ...deps, agents });
  const sessions = createSessionService({ db, agents });
  const terminals = createTerminalService({ agents, sessions, bus, keys, ticketClock: deps.ticketClock });
  const prompts = createPromptService({ db, agents, bus });
  const tester = createConnectionTester({
    demo: deps.demo,
    outbound: deps.outbound,
    assertMayRun: (user) => agents.assertMayRun(user),
    storedToken: async (user, agentId) => {
      const { record } = await agents.own(user, agentId);
      return openToken(record, deps);
    },
  });
  let reconciler: Reconciler | null = null;

  return {
    handlers: {
      ...agentHandlers(agents, tester, idle),
      ...sessionHandlers(sessions, terminals),
      ...promptHandlers(prompts, createUploadService({ agents, bus, store: uploads, replicaUrl: deps.replicaUrl })),
    },
    agents,
    jobs: [
      { name: 'idle', intervalMs: IDLE_INTERVAL_MS, run: (trx) => idle.sleepIdle(trx) },
      { name: 'sessions', intervalMs: HOUR_MS, run: (trx) => sessions.expire(new Date(), trx) },
      {
        name: 'commands',
        intervalMs: COMMANDS_INTERVAL_MS,
        run: async (trx) => {
          await abandonExpiredCommands(trx);
          await deleteSettledCommands(trx, new Date(Date.now() - COMMANDS_KEPT_MS));
        },
      },
      {
        name: 'prompts',
        intervalMs: HOUR_MS,
        run: (trx) => deleteSettledPrompts(trx, new Date(Date.now() - PROMPTS_KEPT_MS)),
      },
    ],
    registerInternalRoutes: (internal) =>
      registerInternalRoutes(internal, { ...deps, master: keys.master, streams, uploads }),
    start: async () => {
      await uploads.prepare();
      reconciler = createReconciler({ ...deps, ...deps.tuning });
    },
    endStreams: () => streams.close(),
    close: async () => {
      streams.close();
      await reconciler?.close();
      bus.close();
    },
  };
};
