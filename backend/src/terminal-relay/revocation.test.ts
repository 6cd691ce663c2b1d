import { once } from 'node:events';
import { createServer } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import type { Relay } from './relay.ts';
import { RevokedSessions } from './revoked-sessions.ts';
import {
  Cleanup,
  openClient,
  refusedClient,
  startFarEnd,
  startProxy,
  ticketFor,
  waitUntil,
} from './testing/fixtures.ts';

const cleanup = new Cleanup();
afterEach(() => cleanup.run());

const start = async () => {
  const farEnd = await startFarEnd(cleanup);
  const proxy = await startProxy(cleanup);
  const ticket = (authSession: string) => ticketFor({ upstream: farEnd.upstream, claims: { authSession } });
  const open = (authSession: string) => openClient(cleanup, proxy.port, { ticket: ticket(authSession) });
  return { farEnd, proxy, ticket, open };
};

describe('a browser session that ends', () => {
  it('takes its terminals along, on both sides, and leaves others alone', async () => {
    const { farEnd, proxy, open } = await start();
    const [first, second, other] = [await open('11'), await open('11'), await open('12')];
    const closed = Promise.all([once(first, 'close'), once(second, 'close')]);
    proxy.relay.revoke(['11', '99']);
    for (const [code] of (await closed) as unknown[][]) expect(code).toBe(1006);
    await waitUntil(() => proxy.relay.connectionCount === 1 && farEnd.webSockets.clients.size === 1);
    expect(other.readyState).toBe(WebSocket.OPEN);
    expect(proxy.relay.metricsText).toContain('sac_ws_ended_total{reason="signed_out"} 2');
  });

  it('takes nothing that is typed afterwards', async () => {
    const { farEnd, proxy, ticket } = await start();
    const accepted = farEnd.accepted();
    const client = await openClient(cleanup, proxy.port, { ticket: ticket('11') });
    const server = await accepted;
    let typed = 0;
    server.on('message', () => (typed += 1));
    proxy.relay.revoke(['11']);
    client.send('rm -rf /workspace\r');
    await once(server, 'close');
    expect(typed).toBe(0);
  });

  it('makes its unused tickets worthless', async () => {
    const { proxy, ticket, open } = await start();
    const unused = ticket('11');
    proxy.relay.revoke(['11']);
    expect(await refusedClient(proxy.port, { ticket: unused })).toMatchObject({ status: 401, code: 'unauthenticated' });
    expect(await refusedClient(proxy.port, { ticket: ticket('11') })).toMatchObject({ status: 401 });
    await open('12');
  });

  it.each([
    ['by its sign-out', (relay: Relay) => relay.revoke(['11']), 'This browser was signed out.'],
    ['by the end of all', (relay: Relay) => relay.cutAll(), 'All terminals of this proxy were cut'],
  ])('stops a terminal that is just being opened, %s', async (_how, stop, message) => {
    const { proxy } = await start();
    // A terminal server that answers only afterwards.
    const sockets: { write(text: string): unknown }[] = [];
    const slow = createServer((socket) => {
      socket.on('error', () => undefined);
      socket.once('data', () => sockets.push(socket));
    });
    slow.listen(0, '127.0.0.1');
    await once(slow, 'listening');
    cleanup.add(() => slow.close());
    const { port } = slow.address() as { port: number };
    const upstream = { kind: 'tcp', host: '127.0.0.1', port, fallbackHost: null } as const;
    const refused = refusedClient(proxy.port, { ticket: ticketFor({ upstream, claims: { authSession: '11' } }) });
    await waitUntil(() => sockets.length === 1);
    stop(proxy.relay);
    sockets[0]?.write(
      'HTTP/1.1 101 Switching\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: x\r\n\r\n',
    );
    expect((await refused).body).toContain(message);
    expect(proxy.relay.connectionCount).toBe(0);
  });
});

describe('what is remembered of ended browser sessions', () => {
  it('is forgotten when no ticket can be good any more', () => {
    const revoked = new RevokedSessions();
    revoked.add(['1', '2'], 0);
    revoked.add(['1'], 500_000);
    revoked.add(['3'], 601_000);
    expect([revoked.has('1'), revoked.has('2'), revoked.has('3')]).toEqual([true, false, true]);
  });

  it('has a bound', () => {
    const revoked = new RevokedSessions();
    for (let from = 0; from < 100_500; from += 500) {
      revoked.add(
        Array.from({ length: 500 }, (_value, index) => String(from + index)),
        from,
      );
    }
    expect(revoked.all()).toHaveLength(100_000);
    expect([revoked.has('499'), revoked.has('500')]).toEqual([false, true]);
  });
});
