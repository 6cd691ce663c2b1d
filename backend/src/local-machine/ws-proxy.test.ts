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
  proxy.start();
  cleanup.add(() => proxy.stop());
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
/** Processes that have begun to listen for sign-outs. */
const listening = (runDir: string) =>
  readdirSync(runDir)
    .flatMap((name) => /^ws-proxy-(\d+)\.sock$/.exec(name)?.[1] ?? [])
    .map(Number);
/** Both, and which of them serves. */
const startedPair = async (runDir: string, { proxy }: { proxy: WsProxy }) => {
  await waitUntil(() => listening(runDir).length === 2);
  const serving = proxy.status.pid ?? 0;
  return { serving, spare: listening(runDir).find((pid) => pid !== serving) };
};

describe('a proxy that ends', () => {
  it('is stood in for at once by one that was there before, and started again as the next one to do so', async () => {
    const { runDir, sac, ticket } = await start();
    const first = await startedPair(runDir, sac);
    const cut = await openClient(cleanup, sac.port, { ticket: ticket('11') });
    const closed = once(cut, 'close');
    process.kill(first.serving, 'SIGKILL');
    await closed;
    await waitUntil(() => sac.proxy.status.pid !== first.serving);
    expect(sac.proxy.status).toMatchObject({ state: 'running', pid: first.spare });
    const again = await openClient(cleanup, sac.port, { ticket: ticket('11') });
    expect(await sac.proxy.metrics()).toContain('sac_ws_connections 1');
    await waitUntil(() => sac.proxy.status.restarts === 1);

    const second = await startedPair(runDir, sac);
    expect(second.serving).toBe(first.spare);
    const closedAgain = once(again, 'close');
    process.kill(second.serving, 'SIGKILL');
    await closedAgain;
    await waitUntil(() => sac.proxy.status.pid === second.spare);
    await openClient(cleanup, sac.port, { ticket: ticket('11') });
  });

  it('is stood in for by one that knows of the sign-outs before', async () => {
    const { runDir, sac, ticket } = await start();
    const { serving, spare } = await startedPair(runDir, sac);
    const mine = await openClient(cleanup, sac.port, { ticket: ticket('11') });
    const unused = ticket('11');
    const closed = once(mine, 'close');
    sac.proxy.revoke(['11']);
    await closed;
    process.kill(serving, 'SIGKILL');
    await waitUntil(() => sac.proxy.status.pid === spare);
    expect(await refusedClient(sac.port, { ticket: unused })).toMatchObject({ status: 401, code: 'unauthenticated' });
  });
});

describe('a restart', () => {
  it('replaces both, and terminals come back while the one they had still ends', async () => {
    const { runDir, sac, ticket } = await start();
    const { serving, spare } = await startedPair(runDir, sac);
    const mine = await openClient(cleanup, sac.port, { ticket: ticket('11') });
    const closed = once(mine, 'close');
    const restarted = sac.proxy.restart();
    await closed;
    await openClient(cleanup, sac.port, { ticket: ticket('11') });
    await restarted;
    await waitUntil(
      () => listening(runDir).length === 2 && [serving, spare].every((pid) => !listening(runDir).includes(pid ?? 0)),
    );
    expect(await sac.proxy.metrics()).toContain('sac_ws_connections 1');
  });
});

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
    sac.proxy.release();
    const next = await startSac(runDir);
    // The two of the next one, and the one that has terminals.
    await waitUntil(() => listening(runDir).length === 3);
    const closed = once(mine, 'close');
    next.proxy.revoke(['11']);
    await closed;
    expect(other.readyState).toBe(WebSocket.OPEN);
    other.close();
    await once(other, 'close');
  });

  it('is known to a proxy that is started after it', async () => {
    const { sac, ticket } = await start();
    const unused = ticket('11');
    sac.proxy.revoke(['11']);
    await sac.proxy.restart();
    await expect
      .poll(async () => (await refusedClient(sac.port, { ticket: unused })).status, { timeout: 10_000 })
      .toBe(401);
  });

  it('ends a proxy that does not take it', async () => {
    const { runDir, sac, ticket } = await start();
    const client = await openClient(cleanup, sac.port, { ticket: ticket('11') });
    const pid = sac.proxy.status.pid ?? 0;
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
    const pid = sac.proxy.status.pid ?? 0;
    process.kill(pid, 'SIGSTOP');
    expect(await sac.proxy.metrics()).toBeNull();
    process.kill(pid, 'SIGCONT');
    await sac.proxy.stop();
    expect(await sac.proxy.metrics()).toBeNull();
  });
});
