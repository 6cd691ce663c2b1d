import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sql } from 'kysely';
import pino from 'pino';
import { request } from 'undici';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../../test/database.ts';
import { createMemoryRuntime } from '../../test/memory-runtime.ts';
import { loadConfig } from '../config/config.ts';
import { findInstallation } from '../config/installation.ts';
import { migrate } from '../db/migrate.ts';
import { createAdminLink } from '../modules/auth/links.ts';
import { startGatewayProcess, type GatewayProcess } from './gateway-process.ts';
import { waitForDatabase } from './schema-wait.ts';

const key = (): string => randomBytes(40).toString('base64');
const secrets = {
  SAC_MASTER_KEY: key(),
  SAC_ACCESS_TOKEN_KEYS: key(),
  SAC_TERMINAL_TICKET_KEYS: key(),
  SAC_WS_PROXY_CREDENTIAL: key(),
};
const logger = pino({ level: 'silent' });
const installation = findInstallation();

let database: TestDatabase;
let dataDir: string;
const running: GatewayProcess[] = [];

const start = async (): Promise<GatewayProcess> => {
  const env = {
    ...secrets,
    SAC_DATABASE_URL: database.url,
    SAC_PUBLIC_URL: 'https://sac.test',
    SAC_INTERNAL_URL: 'http://127.0.0.1:1',
    SAC_KUBERNETES_NAMESPACES: 'agents',
    SAC_INSTALL_ID: 'test',
    SAC_AGENT_IMAGE: 'sac-agent:test',
    SAC_PORT: '0',
    SAC_INTERNAL_LISTEN: '127.0.0.1:0',
    SAC_METRICS_LISTEN: '127.0.0.1:0',
    SAC_DATA_DIR: dataDir,
    SAC_DATABASE_WAIT_SECONDS: '5',
  };
  const context = { version: '1.2.3', homeDir: dataDir, interfaceAddresses: [], process: 'api-gateway' } as const;
  const gateway = await startGatewayProcess({
    config: loadConfig(env, context),
    installation,
    logger,
    createRuntime: () => ({ runtime: createMemoryRuntime(), clis: { list: () => [] } }),
    tuning: { passwordHasher: { cost: 4, threads: 1 } },
  });
  running.push(gateway);
  return gateway;
};

beforeAll(async () => {
  database = await createTestDatabase('template0');
  await migrate({ url: database.url, directory: installation.migrationsDir });
  dataDir = await mkdtemp(join(tmpdir(), 'sac-cluster-'));
});
afterAll(async () => {
  await Promise.all(running.map((gateway) => gateway.stop({ announceMs: 0 })));
  await database.close();
  await rm(dataDir, { recursive: true, force: true });
});

/** As it comes through a gateway of the cluster: with the public name as host. */
const call = async (url: string, options: { token?: string; body?: object } = {}) => {
  const { statusCode, body } = await request(url, {
    method: options.body === undefined ? 'GET' : 'POST',
    headers: {
      host: 'sac.test',
      origin: 'https://sac.test',
      ...(options.body !== undefined && { 'content-type': 'application/json' }),
      ...(options.token !== undefined && { authorization: `Bearer ${options.token}` }),
    },
    ...(options.body !== undefined && { body: JSON.stringify(options.body) }),
  });
  const text = await body.text();
  return { status: statusCode, text, json: () => JSON.parse(text) as Record<string, unknown> };
};

describe('a replica of api-gateway', () => {
  it('serves sign-in, and the other replica knows who signed in', async () => {
    const [one, two] = [await start(), await start()];
    const { secret } = await createAdminLink(database.db);
    const account = { secret, username: 'root', displayName: 'Root', password: 'correct horse battery' };
    const made = await call(`${one.publicUrl}/api/auth/admin-link`, { body: account });
    expect(made.status).toBe(201);
    const agents = await call(`${two.publicUrl}/api/agents`, { token: String(made.json()['accessToken']) });
    expect(agents.json()).toMatchObject({ agents: [] });
  });

  it('shows its metrics on a listener of their own, and no terminals', async () => {
    const one = await start();
    const metrics = await call(`${one.metricsUrl}/metrics`);
    expect(metrics.text).toContain('sac_proxy_streams 0');
    expect((await call(`${one.metricsUrl}/api/version`)).status).toBe(404);
    expect((await call(`${one.internalUrl}/metrics`)).status).toBe(404);
    expect((await call(`${one.publicUrl}/internal/revocations`)).status).toBe(404);
  });

  it('says that it ends before it ends', async () => {
    const one = await start();
    expect((await call(`${one.publicUrl}/health/ready`)).status).toBe(200);
    const stopped = one.stop({ announceMs: 700 });
    const ready = await call(`${one.publicUrl}/health/ready`);
    expect([ready.status, ready.json()]).toEqual([503, { status: 'draining' }]);
    expect((await call(`${one.publicUrl}/api/version`)).status).toBe(200);
    await stopped;
    await expect(call(`${one.publicUrl}/health/live`)).rejects.toThrow();
  });
});

describe('waiting for the database', () => {
  const wait = (url: string, waitMs: number) =>
    waitForDatabase({ url, migrationsDir: installation.migrationsDir, waitMs, logger });

  it('ends when it does not come, with the reason', async () => {
    await expect(wait('postgres://127.0.0.1:1/none', 0)).rejects.toThrow(
      /not ready within 0 s \(SAC_DATABASE_WAIT_SECONDS\): .*ECONNREFUSED/,
    );
  });

  it('lasts until the schema is there', async () => {
    const empty = await createTestDatabase('template0');
    await expect(wait(empty.url, 0)).rejects.toThrow(/its schema lacks 0001_.*run migrate/);
    const waiting = wait(empty.url, 20_000);
    await migrate({ url: empty.url, directory: installation.migrationsDir });
    await waiting;
    await empty.close();
  });

  it('does not mind a schema that is ahead: versions overlap during an upgrade', async () => {
    await sql`insert into schema_migrations (version, name, checksum) values (9999, 'later', '')`.execute(database.db);
    await wait(database.url, 0);
    await sql`delete from schema_migrations where version = 9999`.execute(database.db);
  });
});
