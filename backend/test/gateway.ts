import { createSecretKey, randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  REFRESH_SECRET_HEADER,
  routes,
  type ErrorEnvelope,
  type ResponseOf,
  type RouteName,
  type Routes,
  type SignedIn,
  type User,
} from '@sac/contracts';
import type { FastifyInstance } from 'fastify';
import pino, { type Logger } from 'pino';
import type { GatewayConfig } from '../src/config/config.ts';
import type { Keys } from '../src/config/keys.ts';
import { createGateway, type Gateway } from '../src/app/gateway.ts';
import type { GatewayDeps } from '../src/app/gateway-deps.ts';
import { createDatabase, type Database } from '../src/db/database.ts';
import { createNotificationHub } from '../src/db/listen.ts';
import { createAdminLink } from '../src/modules/auth/links.ts';
import { signingKey } from './agents.ts';
import { createTestDatabase } from './database.ts';
import { createMemoryRuntime, type MemoryRuntime } from './memory-runtime.ts';

export const TEST_HOST = 'sac.test';
export const TEST_ORIGIN = `http://${TEST_HOST}`;
export const PASSWORD = 'correct horse battery';

export interface Answer<T> {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | number | undefined>>;
  /** Of the success status; failures are read through `error`. */
  readonly body: T;
  readonly error: ErrorEnvelope;
}

export interface CallInput {
  readonly params?: Readonly<Record<string, string>>;
  readonly query?: Readonly<Record<string, string>>;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

type Body<N extends RouteName> = ResponseOf<Routes[N]>;

/** One browser: its address, cookie and localStorage. */
export class TestBrowser {
  readonly #app: FastifyInstance;
  readonly remoteAddress: string;
  cookie = '';
  refreshSecret = '';
  accessToken = '';
  user: User | null = null;

  constructor(app: FastifyInstance, remoteAddress: string) {
    this.#app = app;
    this.remoteAddress = remoteAddress;
  }

  /** A second tab: same cookie, storage and token at this moment. */
  copy(): TestBrowser {
    const tab = new TestBrowser(this.#app, this.remoteAddress);
    Object.assign(tab, {
      cookie: this.cookie,
      refreshSecret: this.refreshSecret,
      accessToken: this.accessToken,
      user: this.user,
    });
    return tab;
  }

  headers(): Record<string, string> {
    return {
      host: TEST_HOST,
      ...(this.accessToken === '' ? {} : { authorization: `Bearer ${this.accessToken}` }),
      ...(this.cookie === '' ? {} : { cookie: this.cookie }),
      ...(this.refreshSecret === '' ? {} : { [REFRESH_SECRET_HEADER]: this.refreshSecret }),
    };
  }

  async call<N extends RouteName>(name: N, input: CallInput = {}): Promise<Answer<Body<N>>> {
    const { method, path } = routes[name];
    const url = path.replace(/:(\w+)/g, (_all, key: string) => input.params?.[key] ?? '0');
    const answer = await this.#app.inject({
      method,
      url,
      query: { ...input.query },
      headers: { ...this.headers(), ...input.headers },
      remoteAddress: this.remoteAddress,
      ...(input.body === undefined ? {} : { payload: input.body as object }),
    });
    const set = answer.cookies.find((cookie) => cookie.name.startsWith('sac_refresh'));
    if (set !== undefined) this.cookie = set.value === '' ? '' : `${set.name}=${set.value}`;
    const body: unknown = answer.body === '' ? undefined : (JSON.parse(answer.body) as unknown);
    if (
      answer.statusCode < 300 &&
      body !== undefined &&
      typeof body === 'object' &&
      body !== null &&
      'refreshSecret' in body
    ) {
      const signedIn = body as SignedIn;
      this.accessToken = signedIn.accessToken;
      this.refreshSecret = signedIn.refreshSecret;
      this.user = signedIn.user;
    }
    return { status: answer.statusCode, headers: answer.headers, body: body as Body<N>, error: body as ErrorEnvelope };
  }
}

export interface TestGateway {
  readonly gateway: Gateway;
  readonly app: FastifyInstance;
  readonly db: Database;
  readonly databaseUrl: string;
  readonly runtime: MemoryRuntime;
  readonly keys: Keys;
  /** A browser nobody is signed in with, at an address of its own unless one is given. */
  browser(remoteAddress?: string): TestBrowser;
  /** The one admin made through the first-admin link, in a new browser. */
  admin(): Promise<TestBrowser>;
  /** A new account made through an invite. */
  person(username: string, role?: User['role']): Promise<TestBrowser>;
  close(): Promise<void>;
}

const config = (changes: Partial<GatewayConfig>): GatewayConfig => ({
  version: '0.0.1-test',
  listen: { host: '127.0.0.1', port: 0 },
  publicOrigins: [TEST_ORIGIN],
  trustedProxies: [],
  logLevel: 'info',
  allowUnisolated: false,
  demo: false,
  databasePoolSize: 10,
  uploadsMaxBytes: null,
  proxyCredentials: [],
  outbound: { deny: [], allow: [] },
  cluster: null,
  ...changes,
});

export interface TestGatewayOptions {
  readonly config?: Partial<GatewayConfig>;
  readonly logger?: Logger;
  readonly deps?: Partial<GatewayDeps>;
  /** Another server than the run's; the caller migrates and ends it. */
  readonly databaseUrl?: string;
}

/** The whole gateway on a real database, without a port. Hashing is cheap unless `deps.tuning` says otherwise. */
export const createTestGateway = async (options: TestGatewayOptions = {}): Promise<TestGateway> => {
  const logger = options.logger ?? pino({ level: 'silent' });
  const own = options.databaseUrl === undefined ? await createTestDatabase() : null;
  const databaseUrl = own?.url ?? options.databaseUrl ?? '';
  const db = own?.db ?? createDatabase({ url: databaseUrl, logger });
  const notifications = createNotificationHub({ url: databaseUrl, logger });
  const runtime = createMemoryRuntime();
  const keys: Keys = {
    master: createSecretKey(randomBytes(48)),
    accessToken: signingKey('a'),
    terminalTicket: signingKey('t'),
  };
  const uploadDir = await mkdtemp(join(tmpdir(), 'sac-uploads-'));
  const gateway = await createGateway({
    config: config(options.config ?? {}),
    db,
    notifications,
    runtime,
    keys,
    logger,
    demo: null,
    clis: { list: () => [] },
    handUpgrade: (_request, socket) => socket.destroy(),
    ticketClock: () => Promise.resolve(Date.now()),
    revokeTerminals: () => undefined,
    checks: [],
    otherMetrics: [],
    uploadDir,
    replicaUrl: null,
    frontendDir: null,
    tuning: { passwordHasher: { cost: 4, threads: 1 } },
    ...options.deps,
  });
  let addresses = 0;
  const browser = (remoteAddress?: string): TestBrowser => {
    addresses += 1;
    return new TestBrowser(
      gateway.app,
      remoteAddress ?? `10.0.${Math.floor(addresses / 250)}.${(addresses % 250) + 1}`,
    );
  };

  const admin = async (): Promise<TestBrowser> => {
    const page = browser();
    const first = await page.call('signIn', { body: { login: 'root', password: PASSWORD } });
    if (first.status === 200) return page;
    const { secret } = await createAdminLink(db);
    const made = await page.call('redeemAdminLink', {
      body: { secret, username: 'root', displayName: 'Root', password: PASSWORD },
    });
    if (made.status !== 201) throw new Error(`no admin: ${made.error.message}`);
    return page;
  };

  const person: TestGateway['person'] = async (username, role = 'user') => {
    const invite = await (await admin()).call('createInvite', { body: { role, expiresInHours: 1 } });
    const page = browser();
    const made = await page.call('register', {
      body: { invite: invite.body.secret, username, displayName: username, password: PASSWORD },
    });
    if (made.status !== 201) throw new Error(`no account: ${made.error.message}`);
    return page;
  };

  const close = async (): Promise<void> => {
    await gateway.close();
    await notifications.close();
    await (own?.close() ?? db.destroy());
    await rm(uploadDir, { recursive: true, force: true });
  };
  return { gateway, app: gateway.app, db, databaseUrl, runtime, keys, browser, admin, person, close };
};
