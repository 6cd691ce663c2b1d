import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Writable } from 'node:stream';
import pg from 'pg';
import { routes, type RouteDefinition } from '@sac/contracts';
import Fastify from 'fastify';
import { describe, expect, it, vi } from 'vitest';
import { agentBody } from '../../test/agents.ts';
import { createTestGateway, PASSWORD, TEST_HOST } from '../../test/gateway.ts';
import { startTestPostgres } from '../../test/postgres.ts';
import { createLogger, redactUrl } from './logging.ts';
import { declareAccess, registerRoutes, requireAccessRules } from './route-registry.ts';

describe('boot', () => {
  const definition: RouteDefinition = {
    method: 'GET',
    path: '/api/thing',
    access: 'user',
    summary: '',
    tag: '',
    status: 200,
  };

  it('fails for a route that does not say who may call it', async () => {
    const app = Fastify();
    requireAccessRules(app);
    app.get('/open-door', async () => 'hello');
    await expect(app.ready()).rejects.toThrow('routes without an access rule: GET /open-door');
  });

  it('fails for such a route of a plugin too, and accepts what its scope declares', async () => {
    const app = Fastify();
    requireAccessRules(app);
    await app.register(async (scope) => {
      declareAccess(scope, 'site');
      scope.get('/declared', async () => 'hello');
    });
    await app.register(async (scope) => {
      scope.get('/plugin-door', async () => 'hello');
    });
    await expect(app.ready()).rejects.toThrow('GET /plugin-door');
  });

  it('fails for a rule that does not exist', async () => {
    const app = Fastify();
    requireAccessRules(app);
    app.get('/typo', { config: { access: 'pubic' as 'public' } }, async () => 'hello');
    await expect(app.ready()).rejects.toThrow('GET /typo');
  });

  it('fails when a route has no handler or a handler no route', () => {
    expect(() => registerRoutes(Fastify(), { getThing: definition }, {})).toThrow('routes without a handler: getThing');
    expect(() => registerRoutes(Fastify(), {}, { getThing: () => null })).toThrow('handlers without a route: getThing');
    expect(Object.keys(routes).length).toBeGreaterThan(30);
  });
});

describe('logs', () => {
  const lines: string[] = [];
  const destination = new Writable({
    write(chunk: Buffer, _encoding, done) {
      lines.push(chunk.toString());
      done();
    },
  });

  it('keep secrets of requests out', async () => {
    const logger = createLogger({ level: 'debug' }, destination);
    const test = await createTestGateway({ logger });
    const admin = await test.admin();
    await admin.call('me');
    await admin.call('refresh', { body: {} });
    await test.browser().call('signIn', { body: { login: 'root', password: 'a wrong password' } });
    await test.app.inject({ url: '/api/agents?token=topsecretvalue&x=1', headers: admin.headers() });
    await test.close();
    const text = lines.join('');
    expect(text).toContain('request answered');
    expect(text).toContain('"route":"/api/auth/me"');
    for (const secret of [
      admin.accessToken,
      admin.refreshSecret,
      admin.cookie.split('=')[1] ?? '',
      PASSWORD,
      'a wrong password',
      'topsecretvalue',
    ]) {
      expect(text).not.toContain(secret);
    }
  });

  it('mask what is logged by mistake', () => {
    lines.length = 0;
    const logger = createLogger({ level: 'info' }, destination);
    logger.info(
      { token: 'sss1', user: { password: 'sss2' }, req: { headers: { authorization: 'Bearer sss3', cookie: 'sss4' } } },
      'oops',
    );
    const cause = new Error('connect postgres://sac:sss5@db/sac failed');
    logger.error({ err: new Error('GET /ws/1?token=sss6 with Bearer sss7abc', { cause }) }, 'oops');
    const text = lines.join('');
    expect(text).not.toMatch(/sss\d/);
    expect(text).toContain('[redacted]');
    expect(redactUrl('/ws/1?a=b&token=abc#secret=x')).toBe('/ws/1?a=b&token=[redacted]#secret=[redacted]');
  });
});

const migrate = async (url: string): Promise<void> => {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  const directory = new URL('../../../migrations/', import.meta.url).pathname;
  for (const file of readdirSync(directory)
    .filter((name) => name.endsWith('.sql'))
    .sort()) {
    await client.query(readFileSync(join(directory, file), 'utf8'));
  }
  await client.end();
};

describe('a killed PostgreSQL', () => {
  it('is a clear answer while it is away, and forgotten when it is back', async () => {
    const server = await startTestPostgres();
    await migrate(server.urlOf('postgres'));
    const test = await createTestGateway({ databaseUrl: server.urlOf('postgres') });
    try {
      const admin = await test.admin();
      await server.kill();
      const refused = await admin.call('me');
      expect(refused.status).toBe(503);
      expect(refused.error).toMatchObject({ code: 'database_unavailable', details: { retryAfterSeconds: 2 } });
      expect(refused.headers['retry-after']).toBe('2');
      expect((await test.app.inject({ url: '/health/live' })).statusCode).toBe(200);
      expect((await test.app.inject({ url: '/health/ready' })).statusCode).toBe(503);
      await server.start();
      const deadline = Date.now() + 10_000;
      while ((await admin.call('me')).status !== 200) {
        if (Date.now() > deadline) throw new Error('the gateway did not come back');
        await sleep(50);
      }
      expect((await test.app.inject({ url: '/health/ready' })).statusCode).toBe(200);
    } finally {
      await test.close();
      await server.remove();
    }
  });
});

describe('ending', () => {
  it('takes no new requests while a sandbox takes its time', async () => {
    const test = await createTestGateway();
    const admin = await test.admin();
    await test.app.listen({ port: 0, host: '127.0.0.1' });
    const { port } = test.app.server.address() as AddressInfo;
    const liveStatus = (): Promise<number> =>
      fetch(`http://127.0.0.1:${port}/health/live`).then(
        ({ status }) => status,
        () => 0,
      );
    const begun = Promise.withResolvers<void>();
    const slow = Promise.withResolvers<void>();
    test.runtime.ensure = () => {
      begun.resolve();
      return slow.promise;
    };
    const { body: agent } = await admin.call('createAgent', { body: agentBody() });
    await admin.call('openSession', { body: { agentId: agent.id } });
    await begun.promise;
    expect(await liveStatus()).toBe(200);
    const closing = test.close();
    await vi.waitFor(async () => expect(await liveStatus()).toBe(0));
    slow.resolve();
    await closing;
  });

  it('finishes running requests and takes no new ones', async () => {
    // Hashing at full cost takes long enough to be caught in the middle.
    const test = await createTestGateway({ deps: { tuning: { passwordHasher: { cost: 12, threads: 1 } } } });
    await test.admin();
    await test.app.listen({ port: 0, host: '127.0.0.1' });
    const { port } = test.app.server.address() as AddressInfo;
    const post = (): Promise<number> =>
      new Promise((resolve) => {
        const headers = { host: TEST_HOST, 'content-type': 'application/json' };
        const outgoing = request({
          port,
          host: '127.0.0.1',
          method: 'POST',
          path: '/api/auth/sign-in',
          headers,
          agent: false,
        });
        outgoing.on('response', (response) => {
          response.resume();
          resolve(response.statusCode ?? 0);
        });
        outgoing.on('error', () => resolve(0));
        outgoing.end(JSON.stringify({ login: 'root', password: PASSWORD }));
      });
    const arrived = once(test.app.server, 'request');
    const running = post();
    await arrived;
    const closing = test.close();
    await sleep(50);
    expect(await post()).not.toBe(200);
    expect(await running).toBe(200);
    await closing;
  });
});
