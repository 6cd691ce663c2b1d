import { once } from 'node:events';
import { existsSync, readdirSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import pino from 'pino';
import { afterEach, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import {
  Cleanup,
  KEY,
  openClient,
  ORIGIN,
  refusedClient,
  shortDir,
  startFarEnd,
  ticketFor,
  waitUntil,
} from '../terminal-relay/testing/fixtures.ts';
import { endAllProxies, WsProxy } from './ws-proxy.ts';

const cleanup = new Cleanup();
afterEach(() => cleanup.run());

/** What a `sac` has of its proxy: the child, and a port whose upgrades are handed over. */
const startSac = async (runDir: string) => {
  const proxy = new WsProxy({
    script: join(import.meta.dirname, '../entrypoints/ws-proxy.ts'),
    runDir,
    logFile: join(runDir, 'ws-proxy.log'),
    logger: pino({ level: 'silent' }),
    logLevel: 'warn',
    ticketKeys: { current: KEY, all: [KEY] },
    allowedOrigins: [ORIGIN],
    trustedProxies: [],
  });
  proxy.child.start();
  cleanup.add(() => proxy.child.stop());
  const server = createServer();
  server.on('upgrade', (request, socket, head) => proxy.handUpgrade(request, socket, head));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  cleanup.add(() => server.close());
  return { proxy, port: (server.address() as AddressInfo).port };
};

const start = async () => {
  const runDir = await shortDir(cleanup);
  cleanup.add(() => endAllProxies(runDir));
  const farEnd = await startFarEnd(cleanup, join(runDir, 't.sock'));
  const ticket = (authSession: string) => ticketFor({ upstream: farEnd.upstream, claims: { authSession } });
  return { runDir, ticket, sac: await startSac(runDir) };
};
const sockets = (runDir: string) => readdirSync(runDir).filter((name) => /^ws-proxy-\d+\.sock$/.test(name));

describe('a sign-out', () => {
  it('reaches the proxy: its terminals end, its unused tickets are refused', async () => {
    const { sac, ticket } = await start();
    const [mine, other] = [
      await openClient(cleanup, sac.port, { ticket: ticket('11') }),
      await openClient(cleanup, sac.port, { ticket: ticket('12') }),
    ];
    const unused = ticket('11');
    const closed = once(mine, 'close');
    sac.proxy.revoke(['11']);
    await closed;
    expect(await refusedClient(sac.port, { ticket: unused })).toMatchObject({ status: 401, code: 'unauthenticated' });
    expect(other.readyState).toBe(WebSocket.OPEN);
  });

  it('reaches the proxy of an earlier server, whose terminals are open still', async () => {
    const { runDir, sac, ticket } = await start();
    const [mine, other] = [
      await openClient(cleanup, sac.port, { ticket: ticket('11') }),
      await openClient(cleanup, sac.port, { ticket: ticket('12') }),
    ];
    sac.proxy.child.release();
    const next = await startSac(runDir);
    await waitUntil(() => sockets(runDir).length === 2);
    const closed = once(mine, 'close');
    next.proxy.revoke(['11']);
    await closed;
    expect(other.readyState).toBe(WebSocket.OPEN);
    other.close();
    await waitUntil(() => sockets(runDir).length === 2);
  });

  it('is known to a proxy that is started after it', async () => {
    const { sac, ticket } = await start();
    const unused = ticket('11');
    sac.proxy.revoke(['11']);
    await sac.proxy.child.restart();
    await expect
      .poll(async () => (await refusedClient(sac.port, { ticket: unused })).status, { timeout: 10_000 })
      .toBe(401);
  });

  it('ends a proxy that does not take it', async () => {
    const { runDir, sac, ticket } = await start();
    const client = await openClient(cleanup, sac.port, { ticket: ticket('11') });
    const pid = sac.proxy.child.process?.pid ?? 0;
    process.kill(pid, 'SIGSTOP');
    const closed = once(client, 'close');
    sac.proxy.revoke(['11']);
    await closed;
    await waitUntil(() => !existsSync(join(runDir, `ws-proxy-${pid}.json`)));
    expect(existsSync(join(runDir, `ws-proxy-${pid}.sock`))).toBe(false);
  });
});

describe('metrics', () => {
  it('come from the child, and are missing when it does not answer', async () => {
    const { sac, ticket } = await start();
    await openClient(cleanup, sac.port, { ticket: ticket('11') });
    expect(await sac.proxy.metrics()).toContain('sac_ws_connections 1');
    await waitUntil(async () => {
      const both = await Promise.all([sac.proxy.metrics(), sac.proxy.metrics()]);
      return !both.includes(null); // a busy child is given up on after a second
    });
    const pid = sac.proxy.child.process?.pid ?? 0;
    process.kill(pid, 'SIGSTOP');
    expect(await sac.proxy.metrics()).toBeNull();
    process.kill(pid, 'SIGCONT');
    await sac.proxy.child.stop();
    expect(await sac.proxy.metrics()).toBeNull();
  });
});
