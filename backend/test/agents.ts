import { createSecretKey, randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough, type Readable } from 'node:stream';
import type { CreateAgentBody, RouteName, SandboxReport, ServerEvent, Terminal } from '@sac/contracts';
import type { FastifyInstance } from 'fastify';
import pino from 'pino';
import { buildInternalServer } from '../src/app/build-internal.ts';
import { closeServer } from '../src/app/close-server.ts';
import type { Keys } from '../src/config/keys.ts';
import { createNotificationHub } from '../src/db/listen.ts';
import type { AuthenticatedUser, Handlers } from '../src/lib/handlers.ts';
import { internalCredential } from '../src/lib/agent-keys.ts';
import type { RecordingSetting } from '../src/runtimes/runtime.ts';
import type { Installation } from '../src/modules/pods/values.ts';
import { createAgentFeatures, type AgentFeatures } from '../src/modules/agent-features.ts';
import { createTestDatabase, type TestDatabase } from './database.ts';
import { createMemoryRuntime, type MemoryRuntime } from './memory-runtime.ts';

export type Person = AuthenticatedUser;
/** The parts of a request a test gives; the rest is made up. */
interface Call {
  readonly params?: Record<string, string>;
  readonly query?: Record<string, unknown>;
  readonly body?: unknown;
  readonly stream?: Readable;
  readonly signal?: AbortSignal;
}

export interface AgentsFixture {
  readonly database: TestDatabase;
  readonly runtime: MemoryRuntime;
  readonly keys: Keys;
  readonly features: AgentFeatures;
  readonly internal: FastifyInstance;
  readonly internalUrl: string;
  readonly uploadDir: string;
  settings: {
    agentsPerUser: number;
    demo: { modelUrl: string } | null;
    recording: RecordingSetting;
    idleMinutes: number;
  };
  person(username: string, role?: 'admin' | 'user'): Promise<Person>;
  call<N extends keyof AgentFeatures['handlers']>(name: N, user: Person, call?: Call): ReturnType<Handlers[N]>;
  /** Events published to this person, oldest first. */
  events(user: Person): Promise<ServerEvent[]>;
  /** Headers of the sidecar of a running agent. */
  sidecar(agentUid: string, generation: number): { authorization: string };
  report(agentUid: string, generation: number, changes?: Partial<SandboxReport>): Promise<number>;
  close(): Promise<void>;
}

export const signingKey = (kid: string) => {
  const key = { kid, key: createSecretKey(randomBytes(32)) };
  return { current: key, all: [key] };
};

export const agentBody = (changes: Partial<CreateAgentBody> = {}): CreateAgentBody => ({
  name: `agent ${randomBytes(4).toString('hex')}`,
  icon: 'terminal',
  description: '',
  instructions: '',
  cli: 'claude-code',
  permissionMode: 'default',
  provider: {
    preset: 'anthropic',
    protocol: 'anthropic',
    baseUrl: 'https://api.anthropic.com',
    models: { main: null, strong: null, small: null },
  },
  proxy: { httpProxy: null, httpsProxy: null, noProxy: null },
  environment: [],
  ...changes,
});

export const terminal = (name = 'main'): Terminal => ({ name, title: name, running: true, viewers: 0, exit: null });

let sequence = 0;
export const sandboxReport = (changes: Partial<SandboxReport> = {}): SandboxReport => ({
  sidecarId: 'sidecar',
  sequence: (sequence += 1),
  activity: { state: 'ready', since: new Date().toISOString(), text: null },
  conversationId: null,
  terminals: [terminal()],
  crash: null,
  ...changes,
});

/** Everything around agents on a real database, with a runtime in memory. */
export const createAgentsFixture = async (
  options: { readonly start?: boolean; readonly demo?: { modelUrl: string }; readonly pods?: Installation } = {},
): Promise<AgentsFixture> => {
  const database = await createTestDatabase();
  const logger = pino({ level: 'silent' });
  const notifications = createNotificationHub({ url: database.url, logger });
  const runtime = createMemoryRuntime();
  const keys: Keys = {
    master: createSecretKey(randomBytes(48)),
    accessToken: signingKey('a'),
    terminalTicket: signingKey('t'),
  };
  const uploadDir = await mkdtemp(join(tmpdir(), 'sac-uploads-'));
  const settings: AgentsFixture['settings'] = {
    agentsPerUser: 10,
    demo: options.demo ?? null,
    recording: { isOn: true, totalBytes: 16 * 1024 * 1024 },
    idleMinutes: 0,
  };
  const features = createAgentFeatures({
    db: database.db,
    notifications,
    runtime,
    keys,
    logger,
    demo: settings.demo,
    pods: options.pods ?? null,
    allowUnisolated: false,
    uploadDir,
    uploadsMaxBytes: null,
    replicaUrl: null,
    outbound: { deny: [], allow: [] },
    agentsPerUser: () => Promise.resolve(settings.agentsPerUser),
    recording: () => Promise.resolve(settings.recording),
    idleMinutes: () => Promise.resolve(settings.idleMinutes),
    ticketClock: () => Promise.resolve(Date.now()),
    tuning: { leadership: { retryMs: 50, probeMs: 50 } },
  });
  const internal = await buildInternalServer(logger, [features.registerInternalRoutes]);
  const internalUrl = await internal.listen({ port: 0, host: '127.0.0.1' });
  if (options.start ?? true) await features.start();

  const fixture: AgentsFixture = {
    database,
    runtime,
    keys,
    features,
    internal,
    internalUrl,
    uploadDir,
    settings,
    person: async (username, role = 'user') => {
      const { id } = await database.db
        .insertInto('users')
        .values({ username, display_name: username, role, email: null, password_hash: null })
        .returning('id')
        .executeTakeFirstOrThrow();
      return { id, username, role, authSessionId: '1', tokenExpiresAt: new Date(Date.now() + 60_000) };
    },
    call: (name, user, call = {}) => {
      const request = { body: call.stream ?? call.body, raw: call.stream ?? new PassThrough(), headers: {} };
      const context = {
        params: call.params ?? {},
        query: call.query ?? {},
        body: call.body,
        user,
        request,
        reply: {},
        ip: '127.0.0.1',
        signal: call.signal ?? new AbortController().signal,
      };
      // The routes' own types are checked where the gateway registers them; a test gives what its route needs.
      return (features.handlers[name] as unknown as (context: unknown) => ReturnType<Handlers[RouteName]>)(
        context,
      ) as ReturnType<Handlers[typeof name]>;
    },
    events: async (user) => {
      const rows = await database.db
        .selectFrom('outbox')
        .select('event')
        .where('user_id', '=', user.id)
        .orderBy('id')
        .execute();
      return rows.map((row) => row.event as ServerEvent);
    },
    sidecar: (agentUid, generation) => ({
      authorization: `Bearer ${internalCredential(keys.master, agentUid, generation)}`,
    }),
    report: async (agentUid, generation, changes) => {
      const { statusCode } = await internal.inject({
        method: 'POST',
        url: '/internal/report',
        headers: fixture.sidecar(agentUid, generation),
        payload: sandboxReport(changes),
      });
      return statusCode;
    },
    close: async () => {
      await features.close();
      await closeServer(internal);
      await notifications.close();
      await database.close();
      await rm(uploadDir, { recursive: true, force: true });
    },
  };
  return fixture;
};
