import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { agentBody } from '../../test/agents.ts';
import { createTestGateway, TEST_HOST, type TestGateway } from '../../test/gateway.ts';

let test: TestGateway;
let frontendDir: string;
let uploadDir: string;
beforeAll(async () => {
  frontendDir = await mkdtemp(join(tmpdir(), 'sac-site-'));
  await writeFile(join(frontendDir, 'index.html'), '<!doctype html><title>SAC</title>');
  uploadDir = await mkdtemp(join(tmpdir(), 'sac-uploads-'));
  test = await createTestGateway({ deps: { frontendDir, uploadDir } });
  await test.app.listen({ port: 0, host: '127.0.0.1' });
});
afterAll(async () => {
  await test.close();
  await rm(frontendDir, { recursive: true });
  await rm(uploadDir, { recursive: true, force: true });
});

/** What no well-behaved client sends. */
const raw = (request: string): Promise<string> =>
  new Promise((resolve, reject) => {
    const { port } = test.app.server.address() as AddressInfo;
    let answer = '';
    const socket = connect(port, '127.0.0.1', () => socket.write(request));
    socket.on('data', (chunk) => (answer += chunk.toString()));
    socket.on('error', reject);
    socket.on('close', () => resolve(answer));
  });

describe('the site', () => {
  it.each([
    '/..%2f..%2f..%2f..%2fetc/passwd',
    '/%2e%2e/%2e%2e/%2e%2e/etc/passwd',
    '/.%2e/package.json',
    '/assets/..%2f..%2fpackage.json',
    '/assets/..%5c..%5cpackage.json',
    '/assets/%00',
    '/assets/%c0%ae%c0%ae/x',
    '//etc/passwd',
    '/..\\..\\..\\etc\\passwd',
    '/.env',
  ])('has nothing at %s, and makes no alarm of it', async (path) => {
    const answer = await raw(`GET ${path} HTTP/1.1\r\nHost: ${TEST_HOST}\r\nAccept: */*\r\nConnection: close\r\n\r\n`);
    expect(answer).toMatch(/^HTTP\/1\.1 (200|400|404) /);
    // An address that only looks like one of the browser's gets the page, as any other; never a file from elsewhere.
    if (answer.startsWith('HTTP/1.1 200')) expect(answer).toContain('<title>SAC</title>');
    expect(answer).not.toMatch(/root:x:|workspaces/);
  });

  it('is for one host at a time', async () => {
    const hosts = `Host: ${TEST_HOST}\r\nHost: evil.example`;
    expect(await raw(`GET /api/version HTTP/1.1\r\n${hosts}\r\nConnection: close\r\n\r\n`)).toMatch(/^HTTP\/1\.1 400 /);
  });
});

describe('connections', () => {
  it('are bounded in number, and in time while their answer is not read', () => {
    expect(test.app.server).toMatchObject({ maxConnections: 16_384, timeout: 60_000 });
  });
});

describe('an upload', () => {
  const sizeBytes = 3_000_000;
  const uploadHead = (agentId: string, accessToken: string): string =>
    `POST /api/agents/${agentId}/uploads?name=a HTTP/1.1\r\nHost: ${TEST_HOST}\r\nAuthorization: Bearer ${accessToken}\r\n` +
    `Content-Type: application/octet-stream\r\nContent-Length: ${sizeBytes}\r\n\r\n`;

  /** Statuses of an upload and of a request behind it on the same connection, as a browser sends them. */
  const upload = async (agentId: string, accessToken: string): Promise<string[]> => {
    const next = `GET /api/version HTTP/1.1\r\nHost: ${TEST_HOST}\r\nConnection: close\r\n\r\n`;
    const answer = await raw(`${uploadHead(agentId, accessToken)}${'x'.repeat(sizeBytes)}${next}`);
    return answer.match(/(?<=HTTP\/1\.1 )\d{3}/g) ?? [];
  };

  it('refused before it was read leaves the connection to the next request', async () => {
    const { accessToken } = await test.person('early');
    expect(await upload('999999', accessToken)).toEqual(['404', '200']);
  });

  it('refused while it was read leaves the connection to the next request', async () => {
    const person = await test.person('midway');
    const { body: agent } = await person.call('createAgent', { body: agentBody() });
    await person.call('openSession', { body: { agentId: agent.id } });
    await vi.waitFor(() => expect(test.runtime.observed().get(agent.uid)?.state).toBe('running'));
    await rm(uploadDir, { recursive: true });
    expect(await upload(agent.id, person.accessToken)).toEqual(['500', '200']);
  });

  it('broken off at any moment harms nobody', async () => {
    const { accessToken } = await test.person('leaver');
    const { port } = test.app.server.address() as AddressInfo;
    for (let delayMs = 0; delayMs < 20; delayMs += 1) {
      const socket = connect(port, '127.0.0.1');
      socket.on('error', () => undefined);
      socket.write(`${uploadHead('999999', accessToken)}x`);
      await sleep(delayMs);
      socket.resetAndDestroy();
    }
    expect(await upload('999999', accessToken)).toEqual(['404', '200']);
  });
});

it.each([
  [
    'an upgrade where there is no WebSocket',
    `GET /x HTTP/1.1\r\nHost: ${TEST_HOST}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n`,
    404,
  ],
  ['what is no HTTP', 'hello\r\n\r\n', 400],
])('answers %s, and holds no connection open for it', async (_what, request, status) => {
  const openConnections = (): Promise<number> =>
    new Promise((resolve, reject) => {
      test.app.server.getConnections((error, count) => (error === null ? resolve(count) : reject(error)));
    });
  const before = await openConnections();
  const { port } = test.app.server.address() as AddressInfo;
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  let answer = '';
  socket.on('error', () => undefined).on('data', (chunk) => (answer += chunk.toString()));
  socket.write(request);
  await vi.waitFor(() => expect(answer).toMatch(new RegExp(`^HTTP/1\\.1 ${status} [^]*"code":"`)));
  // The client keeps its side open.
  await vi.waitFor(async () => expect(await openConnections()).toBe(before));
  socket.destroy();
});
