import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTestGateway, TEST_HOST, type TestGateway } from '../../test/gateway.ts';

let test: TestGateway;
let frontendDir: string;
beforeAll(async () => {
  frontendDir = await mkdtemp(join(tmpdir(), 'sac-site-'));
  await writeFile(join(frontendDir, 'index.html'), '<!doctype html><title>SAC</title>');
  test = await createTestGateway({ deps: { frontendDir } });
  await test.app.listen({ port: 0, host: '127.0.0.1' });
});
afterAll(async () => {
  await test.close();
  await rm(frontendDir, { recursive: true });
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
