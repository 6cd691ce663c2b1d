import { mkdtemp, mkdir, rm, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { errorCodes, errorTable, routes } from '@sac/contracts';
import type { InjectOptions } from 'fastify';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { createMemoryRuntime } from '../../test/memory-runtime.ts';
import { createTestGateway, PASSWORD, TEST_HOST, TEST_ORIGIN, type TestGateway } from '../../test/gateway.ts';

let test: TestGateway;
let frontendDir: string;
const upgrades: string[] = [];

beforeAll(async () => {
  frontendDir = await mkdtemp(join(tmpdir(), 'sac-site-'));
  await mkdir(join(frontendDir, 'assets'));
  await writeFile(join(frontendDir, 'index.html'), '<!doctype html><title>SAC</title>');
  await writeFile(join(frontendDir, 'assets', 'app-1a2b.js'), 'console.log(1)');
  await writeFile(join(frontendDir, 'assets', 'app-1a2b.js.gz'), gzipSync('console.log(1)'));
  await writeFile(join(frontendDir, 'favicon.svg'), '<svg/>');
  test = await createTestGateway({
    deps: {
      otherMetrics: [async () => 'sac_ws_connections 3\n', async () => null],
      frontendDir,
      handUpgrade: (incoming, socket) => {
        upgrades.push(incoming.url ?? '');
        socket.end('HTTP/1.1 403 Forbidden\r\nconnection: close\r\n\r\n');
      },
    },
  });
  await test.app.listen({ port: 0, host: '127.0.0.1' });
});
afterAll(async () => {
  await test.close();
  await rm(frontendDir, { recursive: true });
});

const send = (options: InjectOptions) =>
  test.app.inject({ ...options, headers: { host: TEST_HOST, ...options.headers } });
const post = (url: string, payload: string | object, headers: Record<string, string> = {}) =>
  send({ method: 'POST', url, payload, headers });
const signIn = '/api/auth/sign-in';

describe('every contract route', () => {
  const guarded = Object.entries(routes).filter(([, route]) => route.access !== 'public');

  it.each(guarded)('%s refuses strangers before it looks at anything else', async (_name, route) => {
    const url = route.path.replace(/:\w+/g, 'no-id');
    const answer = await send({
      method: route.method,
      url,
      ...(route.method === 'GET' ? {} : { payload: '{broken', headers: { 'content-type': 'application/json' } }),
    });
    expect(answer.statusCode).toBe(401);
    expect(answer.json()).toMatchObject({ code: 'unauthenticated', requestId: expect.any(String) as string });
  });

  it('is in the API description, with its errors', async () => {
    const description = (await send({ url: '/api/docs/json' })).json<{
      paths: Record<string, Record<string, { responses: object; security?: unknown }>>;
    }>();
    for (const route of Object.values(routes)) {
      const path = route.path.replace(/:(\w+)/g, '{$1}');
      const operation = description.paths[path]?.[route.method.toLowerCase()];
      expect(operation, `${route.method} ${path}`).toBeDefined();
      expect(Object.keys(operation?.responses ?? {})).toEqual(
        expect.arrayContaining([String(route.status), '429', '500', '503']),
      );
      expect(operation?.security === undefined).toBe(route.access === 'public');
    }
  });
});

describe('failures', () => {
  it.each([
    ['broken JSON', () => post(signIn, '{"a":', { 'content-type': 'application/json' }), 400, 'invalid_request'],
    ['an array', () => post(signIn, []), 400, 'invalid_request'],
    ['a text', () => post(signIn, '"text"', { 'content-type': 'application/json' }), 400, 'invalid_request'],
    ['nothing', () => send({ method: 'POST', url: signIn }), 400, 'invalid_request'],
    [
      'another type',
      () => post(signIn, 'a=b', { 'content-type': 'application/x-www-form-urlencoded' }),
      415,
      'unsupported_media_type',
    ],
    ['plain text', () => post(signIn, 'a=b', { 'content-type': 'text/plain' }), 415, 'unsupported_media_type'],
    [
      '__proto__',
      () => post(signIn, '{"__proto__":{"a":1},"login":"a","password":"b"}', { 'content-type': 'application/json' }),
      400,
      'invalid_request',
    ],
    ['a number for a text', () => post(signIn, { login: 5, password: 'x' }), 400, 'invalid_request'],
    ['too much', () => post(signIn, { login: 'x'.repeat(300_000), password: 'x' }), 413, 'payload_too_large'],
    ['an unknown address', () => send({ url: '/api/nothing' }), 404, 'not_found'],
    ['another method', () => send({ method: 'DELETE', url: signIn }), 404, 'not_found'],
    ['a broken address', () => send({ url: '/api/agents/%zz' }), 400, 'invalid_request'],
    ['a very long parameter', () => send({ url: `/api/agents/${'1'.repeat(500)}` }), 404, 'not_found'],
  ] as const)('%s has one shape', async (_what, act, status, code) => {
    const answer = await act();
    expect(answer.json()).toMatchObject({ code, requestId: expect.stringMatching(/^[\w-]{12}$/) as string });
    expect(answer.statusCode).toBe(status);
    expect(answer.headers['x-request-id']).toBe(answer.json<{ requestId: string }>().requestId);
    expect(answer.headers['cache-control']).toBe('no-store');
    expect(
      Object.keys(answer.json<object>()).filter((key) => !['code', 'message', 'requestId', 'details'].includes(key)),
    ).toEqual([]);
  });

  it('never repeats a password that was refused', async () => {
    const answer = await post('/api/auth/register', { username: 'someone', displayName: 'x', password: 'hunter2' });
    expect(answer.statusCode).toBe(400);
    expect(answer.body).not.toContain('hunter2');
  });

  it('has a status for every code', () => {
    for (const code of errorCodes) expect(errorTable[code].httpStatus).toBeGreaterThanOrEqual(400);
  });
});

describe('pages of other sites', () => {
  const body = { login: 'root', password: PASSWORD };

  it.each([
    'http://evil.example',
    'null',
    `${TEST_ORIGIN}.evil.example`,
    'http://sac.test:81',
    'https://sac.test',
    'http://xsac.test',
    TEST_ORIGIN.toUpperCase(),
  ])('may not change anything (%s)', async (origin) => {
    expect((await post(signIn, body, { origin })).json()).toMatchObject({ code: 'origin_not_allowed' });
  });

  it.each(['evil.example', 'sac.test.evil.example', '', 'sac.test:8081', '127.0.0.1'])(
    'cannot reach the server under the name %j',
    async (host) => {
      expect((await post(signIn, body, { host })).json()).toMatchObject({ code: 'origin_not_allowed' });
      expect((await send({ url: '/', headers: { host } })).statusCode).toBe(403);
      expect((await send({ url: '/nothing', headers: { host } })).statusCode).toBe(403);
    },
  );

  it('does not stand in the way of the own page, of programs and of health checks', async () => {
    expect((await post(signIn, body, { origin: TEST_ORIGIN })).json()).toMatchObject({ code: 'invalid_credentials' });
    expect((await post(signIn, body)).json()).toMatchObject({ code: 'invalid_credentials' });
    expect((await post(signIn, body, { host: 'SAC.test:80' })).json()).toMatchObject({ code: 'invalid_credentials' });
    expect((await send({ url: '/health/live', headers: { host: '10.0.0.7:8080' } })).statusCode).toBe(200);
  });
});

describe('the site', () => {
  it('is protected by its headers', async () => {
    const { headers } = await send({ url: '/' });
    const policy = String(headers['content-security-policy']);
    expect(policy).toContain("default-src 'self'");
    expect(policy).toContain("script-src 'self';");
    expect(policy).toContain(`connect-src 'self' ws://${TEST_HOST}`);
    expect(policy).toContain("frame-ancestors 'none'");
    expect(policy).not.toContain('unsafe-eval');
    expect(policy).not.toContain('upgrade-insecure-requests');
    expect(headers['x-content-type-options']).toBe('nosniff');
    expect(headers['referrer-policy']).toBe('no-referrer');
    expect(headers['strict-transport-security']).toBeUndefined();
    expect(headers['x-powered-by']).toBeUndefined();
  });

  it('caches what carries a digest in its name, and compresses', async () => {
    const asset = await send({ url: '/assets/app-1a2b.js', headers: { 'accept-encoding': 'gzip, br' } });
    expect(asset.headers['cache-control']).toBe('public, max-age=31536000, immutable');
    expect(asset.headers['content-encoding']).toBe('gzip');
    expect((await send({ url: '/' })).headers['cache-control']).toBe('no-cache');
    expect((await send({ url: '/favicon.svg' })).headers['cache-control']).toBe('no-cache');
  });

  it('is the page for every address of the browser, and only for those', async () => {
    for (const url of ['/', '/agents/7', '/join', '/admin/users?search=x']) {
      const page = await send({ url, headers: { accept: 'text/html' } });
      expect(page.statusCode).toBe(200);
      expect(page.body).toContain('<title>SAC</title>');
    }
    for (const url of [
      '/api/x',
      '/ws/x',
      '/internal/x',
      '/assets/gone.js',
      '/health/x',
      '/../package.json',
      '/assets/..%2f..%2fpackage.json',
      '/.env',
    ]) {
      expect((await send({ url })).json()).toMatchObject({
        code: expect.stringMatching(/not_found|invalid_request/) as string,
      });
    }
    expect((await send({ method: 'POST', url: '/agents/7' })).statusCode).toBe(404);
    expect((await send({ url: '/agents/7', headers: { accept: 'application/json' } })).statusCode).toBe(404);
  });

  it('shows the API page without anything from elsewhere', async () => {
    const page = await send({ url: '/api/docs' });
    expect(page.statusCode).toBe(200);
    expect(page.body).not.toMatch(/<script>[^<]/);
    expect(page.body).not.toMatch(/(src|href)="https?:/);
    expect(String(page.headers['content-security-policy'])).toContain("script-src 'self';");
    const initializer = await send({ url: '/api/docs/static/swagger-initializer.js' });
    expect(initializer.statusCode).toBe(200);
  });
});

describe('changes of one account', () => {
  it('are bounded, what is refused and what is only read left out', async () => {
    const person = await test.person('busy');
    const rename = (displayName: string) => person.call('updateMe', { body: { displayName } });
    for (let count = 0; count < 200; count += 1) expect((await rename('')).status).toBe(400);
    let done = 0;
    while ((await rename(`Busy ${done}`)).status === 200) done += 1;
    expect(done).toBeGreaterThan(1_000);
    expect(done).toBeLessThan(1_300);
    expect((await rename('Busy')).error).toMatchObject({ code: 'rate_limited' });
    expect((await person.call('getCapabilities')).status).toBe(200);
  });
});

describe('health and metrics', () => {
  const local = { host: '127.0.0.1:8080' };

  it('tells life from readiness', async () => {
    expect((await send({ url: '/health/live' })).json()).toEqual({ status: 'ok' });
    expect((await send({ url: '/health/ready' })).json()).toEqual({ status: 'ok' });
  });

  it('shows metrics to this machine and to admins only', async () => {
    const shown = await send({ url: '/metrics', remoteAddress: '127.0.0.1', headers: local });
    expect(shown.body).toContain('sac_http_request_duration_seconds_bucket');
    expect(shown.body).toContain('process_cpu_seconds_total');
    expect((await send({ url: '/metrics', remoteAddress: '10.1.1.1' })).statusCode).toBe(401);
    expect(
      (await send({ url: '/metrics', remoteAddress: '127.0.0.1', headers: { ...local, 'x-forwarded-for': '1.2.3.4' } }))
        .statusCode,
    ).toBe(401);
    const admin = await test.admin();
    expect((await send({ url: '/metrics', remoteAddress: '10.1.1.1', headers: admin.headers() })).statusCode).toBe(200);
    const person = await test.person('nosy');
    expect((await send({ url: '/metrics', remoteAddress: '10.1.1.1', headers: person.headers() })).statusCode).toBe(
      403,
    );
  });

  it('shows no metrics to a page whose name was pointed at this machine', async () => {
    for (const host of ['evil.example', 'evil.example:8080', '127.0.0.1.evil.example', TEST_HOST]) {
      const { statusCode } = await send({ url: '/metrics', remoteAddress: '127.0.0.1', headers: { host } });
      expect(statusCode, host).toBe(401);
    }
    for (const host of ['localhost:8080', '[::1]:8080', '127.0.0.1']) {
      const { statusCode } = await send({ url: '/metrics', remoteAddress: '127.0.0.1', headers: { host } });
      expect(statusCode, host).toBe(200);
    }
  });

  it('shows the metrics of other processes with its own, without one that does not answer', async () => {
    const { body } = await send({ url: '/metrics', remoteAddress: '127.0.0.1', headers: local });
    expect(body).toMatch(/^sac_event_streams 0$/m);
    expect(body).toMatch(/^sac_ws_connections 3$/m);
  });

  it('never lets a visitor choose a label', async () => {
    await send({ url: '/api/unheard-of-address' });
    expect((await send({ url: '/metrics', remoteAddress: '127.0.0.1', headers: local })).body).not.toContain(
      'unheard-of-address',
    );
  });

  it('tells whoever operates the pod how each part is, and nobody else but admins', async () => {
    const url = '/health/parts';
    const runtime = { ...createMemoryRuntime(), kind: 'kubernetes' as const };
    const pod = await createTestGateway({ deps: { runtime } });
    onTestFinished(() => pod.close());
    const ask = (input: object) => pod.app.inject({ url, ...input });
    // On one machine agents reach its loopback address.
    expect((await send({ url, remoteAddress: '127.0.0.1' })).statusCode).toBe(404);
    const shown = await ask({ remoteAddress: '127.0.0.1', headers: local });
    expect(shown.json<{ parts: { name: string }[] }>().parts.map(({ name }) => name)).toContain('database');
    expect((await ask({ remoteAddress: '10.1.1.1', headers: { host: TEST_HOST } })).statusCode).toBe(401);
    const forwarded = { ...local, 'x-forwarded-for': '1.2.3.4' };
    expect((await ask({ remoteAddress: '127.0.0.1', headers: forwarded })).statusCode).toBe(401);
    const person = await pod.person('curious');
    expect((await ask({ remoteAddress: '10.1.1.1', headers: person.headers() })).statusCode).toBe(403);
  });

  it('tells an admin how each part is', async () => {
    const { parts } = (await (await test.admin()).call('adminHealth')).body;
    expect(parts.find((part) => part.name === 'database')).toMatchObject({
      state: 'ok',
      detail: expect.stringContaining('PostgreSQL 18') as string,
    });
    expect(parts.find((part) => part.name === 'isolation')?.state).toBe('ok');
  });

  it('tells what this installation can do', async () => {
    const page = await test.admin();
    expect((await page.call('getCapabilities')).body).toMatchObject({
      demo: false,
      runtime: 'local',
      isolation: { isolated: true, usersMayRun: true },
    });
    test.runtime.isolationNow = { isolated: false, reason: 'no bubblewrap', fix: 'install it' };
    expect((await page.call('getCapabilities')).body.isolation).toEqual({
      isolated: false,
      reason: 'no bubblewrap',
      fix: 'install it',
      usersMayRun: false,
    });
    test.runtime.isolationNow = { isolated: true, reason: null, fix: null };
    expect((await test.browser().call('getVersion')).body).toEqual({ version: '0.0.1-test' });
  });
});

describe('upgrades', () => {
  const upgrade = (path: string): Promise<number> =>
    new Promise((resolve, reject) => {
      const { port } = test.app.server.address() as AddressInfo;
      const headers = {
        host: TEST_HOST,
        connection: 'Upgrade',
        upgrade: 'websocket',
        'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
        'sec-websocket-version': '13',
      };
      const outgoing = request({ port, host: '127.0.0.1', path, headers, agent: false });
      outgoing.on('response', (response) => {
        response.resume();
        resolve(response.statusCode ?? 0);
      });
      outgoing.on('upgrade', () => reject(new Error('upgraded')));
      outgoing.on('error', reject);
      outgoing.end();
    });

  it('below /ws/ go to the terminal path, all others are refused', async () => {
    expect(await upgrade('/ws/7?token=secret')).toBe(403);
    expect(upgrades).toEqual(['/ws/7?token=secret']);
    for (const path of ['/', '/ws', '/api/events', '/wsx/7', '/api/docs']) expect(await upgrade(path)).toBe(404);
    expect(upgrades).toHaveLength(1);
  });

  it('that break off do no harm', async () => {
    const { port } = test.app.server.address() as AddressInfo;
    for (let index = 0; index < 20; index += 1) {
      const socket = connect(port, '127.0.0.1', () => {
        socket.write(`GET /ws/1 HTTP/1.1\r\nhost: ${TEST_HOST}\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\r\n`);
        socket.resetAndDestroy();
      });
      socket.on('error', () => undefined);
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect((await send({ url: '/health/live' })).statusCode).toBe(200);
  });

  it('and what is not HTTP gets a plain refusal', async () => {
    const { port } = test.app.server.address() as AddressInfo;
    const text = await new Promise<string>((resolve) => {
      let received = '';
      const socket = connect(port, '127.0.0.1', () => socket.write('\u0016\u0003\u0001 this is not http\r\n\r\n'));
      socket.on('data', (chunk) => (received += chunk.toString()));
      socket.on('close', () => resolve(received));
    });
    expect(text).toContain('400 Bad Request');
    expect(text).toContain('invalid_request');
  });
});
