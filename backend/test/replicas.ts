import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createServer, type AddressInfo } from 'node:net';
import { once } from 'node:events';
import pino from 'pino';
import { request } from 'undici';
import { startGatewayProcess, type GatewayProcess } from '../src/cluster/gateway-process.ts';
import { loadConfig } from '../src/config/config.ts';
import { findInstallation } from '../src/config/installation.ts';
import { migrate } from '../src/db/migrate.ts';
import { createAdminLink } from '../src/modules/auth/links.ts';
import { createTestDatabase, type TestDatabase } from './database.ts';
import { createMemoryRuntime, type MemoryRuntime } from './memory-runtime.ts';

export interface HttpAnswer {
  readonly status: number;
  readonly text: string;
  json(): Record<string, unknown>;
}

/** As it comes through a gateway of the cluster: with the public name as host. */
export const call = async (
  url: string,
  options: { readonly token?: string; readonly body?: object | Buffer; readonly method?: 'PUT' | 'PATCH' } = {},
): Promise<HttpAnswer> => {
  const { body, token } = options;
  const { statusCode, body: answer } = await request(url, {
    method: options.method ?? (body === undefined ? 'GET' : 'POST'),
    headers: {
      host: 'sac.test',
      origin: 'https://sac.test',
      ...(body !== undefined && {
        'content-type': Buffer.isBuffer(body) ? 'application/octet-stream' : 'application/json',
      }),
      ...(token !== undefined && { authorization: `Bearer ${token}` }),
    },
    ...(body !== undefined && { body: Buffer.isBuffer(body) ? body : JSON.stringify(body) }),
  });
  const text = await answer.text();
  return { status: statusCode, text, json: () => JSON.parse(text) as Record<string, unknown> };
};

const freePort = async (): Promise<number> => {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
};

/** Replicas of api-gateway on one real database, all looking at one cluster, which is in memory. */
export interface Replicas {
  readonly database: TestDatabase;
  readonly runtime: MemoryRuntime;
  readonly masterKey: string;
  readonly proxyCredential: string;
  start(): Promise<GatewayProcess>;
  /** Access token of the first admin. */
  admin(gateway: GatewayProcess): Promise<string>;
  close(): Promise<void>;
}

export const createReplicas = async (): Promise<Replicas> => {
  const key = (): string => randomBytes(40).toString('base64');
  const installation = findInstallation();
  const database = await createTestDatabase('template0');
  await migrate({ url: database.url, directory: installation.migrationsDir });
  const dataDir = await mkdtemp(join(tmpdir(), 'sac-cluster-'));
  const runtime = createMemoryRuntime();
  const running: GatewayProcess[] = [];
  const env = {
    SAC_MASTER_KEY: key(),
    SAC_ACCESS_TOKEN_KEYS: key(),
    SAC_TERMINAL_TICKET_KEYS: key(),
    SAC_WS_PROXY_CREDENTIAL: key(),
    SAC_DATABASE_URL: database.url,
    SAC_PUBLIC_URL: 'https://sac.test',
    SAC_INTERNAL_URL: 'http://127.0.0.1:1',
    SAC_KUBERNETES_NAMESPACES: 'agents',
    SAC_INSTALL_ID: 'test',
    SAC_AGENT_IMAGE: 'sac-agent:test',
    SAC_PORT: '0',
    SAC_METRICS_LISTEN: '127.0.0.1:0',
    SAC_POD_IP: '127.0.0.1',
    SAC_DATABASE_WAIT_SECONDS: '5',
  };
  return {
    database,
    runtime,
    masterKey: env.SAC_MASTER_KEY,
    proxyCredential: env.SAC_WS_PROXY_CREDENTIAL,
    start: async () => {
      const context = { version: '1.2.3', homeDir: dataDir, interfaceAddresses: [], process: 'api-gateway' } as const;
      const own = {
        SAC_INTERNAL_LISTEN: `127.0.0.1:${await freePort()}`,
        SAC_DATA_DIR: join(dataDir, key().replaceAll('/', '')),
      };
      const gateway = await startGatewayProcess({
        config: loadConfig({ ...env, ...own }, context),
        installation,
        logger: pino({ level: 'silent' }),
        createRuntime: () => ({ runtime, clis: { list: () => [] } }),
        tuning: { passwordHasher: { cost: 4, threads: 1 } },
      });
      running.push(gateway);
      return gateway;
    },
    admin: async (gateway) => {
      const { secret } = await createAdminLink(database.db);
      const body = { secret, username: 'root', displayName: 'Root', password: 'correct horse battery' };
      const made = await call(`${gateway.publicUrl}/api/auth/admin-link`, { body });
      return String(made.json()['accessToken']);
    },
    close: async () => {
      await Promise.all(running.map((gateway) => gateway.stop({ announceMs: 0 })));
      await database.close();
      await rm(dataDir, { recursive: true, force: true });
    },
  };
};
