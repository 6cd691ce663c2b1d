import { createSecretKey, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import {
  Cleanup,
  KEY,
  openClient,
  ORIGIN,
  rawRequest,
  refusedClient,
  SESSION,
  shortDir,
  startFarEnd,
  startProxy,
  ticketFor,
  waitUntil,
} from './testing/fixtures.ts';

const cleanup = new Cleanup();
afterEach(() => cleanup.run());

const start = async (config: Parameters<typeof startProxy>[1] = {}) => {
  const farEnd = await startFarEnd(cleanup);
  const proxy = await startProxy(cleanup, config);
  return {
    farEnd,
    proxy,
    ticket: (options: Partial<Parameters<typeof ticketFor>[0]> = {}) =>
      ticketFor({ upstream: farEnd.upstream, ...options }),
  };
};

describe('an accepted handshake', () => {
  it('asks the terminal server anew: inner token, and nothing else of the client', async () => {
    const { farEnd, proxy, ticket } = await start();
    const client = await openClient(cleanup, proxy.port, {
      ticket: ticket(),
      headers: { Cookie: 'sid=secret', 'X-Other': 'x' },
    });
    expect(client.protocol).toBe('tty');
    const [request] = farEnd.requests;
    expect(request?.url).toBe('/ws');
    expect(request?.headers).toEqual({
      host: expect.stringMatching(/^127\.0\.0\.1:/) as unknown,
      upgrade: 'websocket',
      connection: 'Upgrade',
      'sec-websocket-key': expect.any(String) as unknown,
      'sec-websocket-version': '13',
      'sec-websocket-protocol': 'tty',
      authorization: 'Bearer inner.token.value',
    });
  });

  it('relays frames in both directions and the close code', async () => {
    const { farEnd, proxy, ticket } = await start();
    const accepted = farEnd.accepted();
    const client = await openClient(cleanup, proxy.port, { ticket: ticket() });
    const server = await accepted;
    const big = randomBytes(300_000);
    const received = once(server, 'message');
    client.send(big);
    expect(((await received) as [Buffer])[0].equals(big)).toBe(true);
    const back = once(client, 'message');
    server.send(big);
    expect(((await back) as [Buffer])[0].equals(big)).toBe(true);
    const closed = once(client, 'close');
    server.close(4004, 'gone');
    expect(await closed).toEqual([4004, Buffer.from('gone')]);
    await waitUntil(() => proxy.relay.connectionCount === 0);
  });

  it('keeps what the client sent behind its request', async () => {
    const { farEnd, proxy, ticket } = await start();
    const accepted = farEnd.accepted();
    const masked = Buffer.from([0x82, 0x85, 0, 0, 0, 0, ...Buffer.from('hello')]);
    const head = Buffer.from(handshakeText(`/ws/${SESSION}?token=${ticket()}`));
    const answer = rawRequest(proxy.port, Buffer.concat([head, masked]));
    const server = await accepted;
    const [message] = (await once(server, 'message')) as [Buffer];
    expect(message.toString()).toBe('hello');
    server.terminate();
    expect(await answer).toMatch(/^HTTP\/1\.1 101 /);
  });

  it('lets no cookie or extension of the terminal server through', async () => {
    const rogue = createServer((socket) => {
      socket.on('error', () => undefined);
      socket.once('data', () =>
        socket.write(
          'HTTP/1.1 101 Switching\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: x\r\nSet-Cookie: sac=stolen\r\nSec-WebSocket-Extensions: permessage-deflate\r\nX-A: b\r\n\r\nrest',
        ),
      );
    });
    const { proxy, ticket } = await start();
    const upstream = await listenTcp(rogue);
    const answer = rawRequest(proxy.port, handshakeText(`/ws/${SESSION}?token=${ticket({ upstream })}`), 3_000);
    expect(await answer).toBe(
      'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: x\r\n\r\nrest',
    );
  });

  it('reaches a unix socket inside its directory', async () => {
    const dir = await shortDir(cleanup);
    const farEnd = await startFarEnd(cleanup, join(dir, 't.sock'));
    const proxy = await startProxy(cleanup, { upstream: { unixDirectory: dir, tcp: false } });
    const client = await openClient(cleanup, proxy.port, { ticket: ticketFor({ upstream: farEnd.upstream }) });
    expect(client.readyState).toBe(WebSocket.OPEN);
  });

  it('takes the fallback host when the first address does not answer', async () => {
    const { farEnd, proxy, ticket } = await start({ limits: { upstreamTimeoutMs: 1_000 } });
    const upstream = { ...farEnd.upstream, kind: 'tcp', host: '127.0.0.2', fallbackHost: '127.0.0.1' } as Parameters<
      typeof ticketFor
    >[0]['upstream'];
    const client = await openClient(cleanup, proxy.port, { ticket: ticket({ upstream }) });
    expect(client.readyState).toBe(WebSocket.OPEN);
  });
});

const handshakeText = (target: string, headers: Record<string, string> = {}): string => {
  const all = {
    Host: 'x',
    Upgrade: 'websocket',
    Connection: 'Upgrade',
    'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==',
    'Sec-WebSocket-Version': '13',
    'Sec-WebSocket-Protocol': 'tty',
    Origin: ORIGIN,
    ...headers,
  };
  return `GET ${target} HTTP/1.1\r\n${Object.entries(all)
    .map(([name, value]) => `${name}: ${value}\r\n`)
    .join('')}\r\n`;
};

const listenTcp = async (server: ReturnType<typeof createServer>) => {
  const sockets = new Set<Socket>();
  server.on('connection', (socket) => sockets.add(socket.on('error', () => undefined)));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  cleanup.add(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return { kind: 'tcp', host: '127.0.0.1', port: (server.address() as AddressInfo).port, fallbackHost: null } as const;
};

describe('a ticket', () => {
  it('works once', async () => {
    const { proxy, ticket } = await start();
    const once = ticket();
    await openClient(cleanup, proxy.port, { ticket: once });
    expect(await refusedClient(proxy.port, { ticket: once })).toMatchObject({ status: 401, code: 'ticket_invalid' });
    expect(proxy.relay.metrics.refusals.get('ticket_invalid')).toBe(1);
  });

  it('works once also when both arrive at the same moment', async () => {
    const { proxy, ticket } = await start();
    const once = ticket();
    const outcomes = await Promise.allSettled(
      [1, 2, 3, 4].map(() => openClient(cleanup, proxy.port, { ticket: once })),
    );
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
  });

  it.each<[string, (options: Partial<Parameters<typeof ticketFor>[0]>) => Partial<Parameters<typeof ticketFor>[0]>]>([
    ['expired', () => ({ sign: { expiresIn: -10 } })],
    [
      'signed with a foreign key of the same id',
      () => ({ key: { kid: KEY.kid, key: createSecretKey(randomBytes(32)) } }),
    ],
    ['signed with an unknown key id', () => ({ key: { kid: 'other', key: KEY.key } })],
    ['for another audience', () => ({ sign: { audience: 'access' } })],
    ['signed with another algorithm', () => ({ sign: { algorithm: 'HS512' } })],
    ['for another session', () => ({ claims: { session: '43' } })],
    ['without an inner token', () => ({ claims: { inner: undefined as unknown as string } })],
    [
      'that lives too long',
      () => ({ sign: { expiresIn: 3_600 }, claims: { iat: Math.floor(Date.now() / 1000) - 100 } as object }),
    ],
  ])('%s is refused', async (_name, change) => {
    const { proxy, ticket, farEnd } = await start();
    expect(await refusedClient(proxy.port, { ticket: ticket(change({})) })).toMatchObject({
      status: 401,
      code: 'ticket_invalid',
    });
    expect(farEnd.requests).toHaveLength(0);
  });

  it.each(['', 'x', 'a.b', 'a.b.c', `${'a'.repeat(9_000)}.b.c`, 'eyJhbGciOiJub25lIn0.e30.'])(
    'that is none is refused (%#)',
    async (token) => {
      const { proxy } = await start();
      expect(await refusedClient(proxy.port, { ticket: token })).toMatchObject({ status: 401 });
    },
  );

  it('is never written to the log', async () => {
    const { proxy, ticket } = await start();
    const used = ticket();
    await openClient(cleanup, proxy.port, { ticket: used });
    await refusedClient(proxy.port, { ticket: used });
    await refusedClient(proxy.port, { ticket: used, origin: 'https://evil.example' });
    const log = proxy.logLines.join('');
    expect(log).toContain('terminal connection refused');
    expect(log).not.toContain(used.slice(-20));
    expect(log).not.toContain('inner.token');
  });
});

describe('the origin', () => {
  it.each([
    ['missing', null],
    ['foreign', 'https://evil.example'],
    ['of another scheme', 'http://sac.example.org'],
    ['of another port', 'https://sac.example.org:8443'],
    ['that only starts alike', 'https://sac.example.org.evil.example'],
    ['that hides a user', 'https://sac.example.org@evil.example'],
    ['with a path', 'https://sac.example.org/x'],
    ['null', 'null'],
  ])('%s is refused', async (_name, origin) => {
    const { proxy, ticket } = await start();
    expect(await refusedClient(proxy.port, { ticket: ticket(), origin })).toMatchObject({
      status: 403,
      code: 'origin_not_allowed',
    });
  });

  it('is compared as an origin, not as text', async () => {
    const { proxy, ticket } = await start();
    const client = await openClient(cleanup, proxy.port, { ticket: ticket(), origin: 'HTTPS://SAC.example.org:443' });
    expect(client.readyState).toBe(WebSocket.OPEN);
  });
});

describe('limits', () => {
  it.each([
    ['per user', { maxConnectionsPerUser: 1 }, 429, 'rate_limited'],
    ['per address', { maxConnectionsPerAddress: 1 }, 429, 'rate_limited'],
    ['in total', { maxConnections: 1 }, 503, 'unavailable'],
  ])('%s refuse and recover', async (_name, limits, status, code) => {
    const { proxy, ticket } = await start({ limits });
    const first = await openClient(cleanup, proxy.port, { ticket: ticket() });
    const refusedTicket = ticket();
    const refused = await refusedClient(proxy.port, { ticket: refusedTicket });
    expect(refused).toMatchObject({ status, code });
    expect(Number(refused.headers['retry-after'])).toBeGreaterThan(0);
    first.close();
    await waitUntil(() => proxy.relay.connectionCount === 0);
    // A limit does not use a ticket up.
    await openClient(cleanup, proxy.port, { ticket: refusedTicket });
  });

  it('of one user leave others alone', async () => {
    const { proxy, ticket } = await start({ limits: { maxConnectionsPerUser: 1 } });
    await openClient(cleanup, proxy.port, { ticket: ticket({ claims: { sub: '1' } }) });
    await openClient(cleanup, proxy.port, { ticket: ticket({ claims: { sub: '2' } }) });
    expect(proxy.relay.connectionCount).toBe(2);
  });
});

describe('a terminal server that', () => {
  const reach = async (
    upstream: Parameters<typeof ticketFor>[0]['upstream'],
    config: Parameters<typeof startProxy>[1] = {},
  ) => {
    const proxy = await startProxy(cleanup, { limits: { upstreamTimeoutMs: 400 }, ...config });
    const answer = await refusedClient(proxy.port, { ticket: ticketFor({ upstream }) });
    expect(proxy.relay.connectionCount).toBe(0);
    return { answer, errors: proxy.relay.metrics.upstreamErrors };
  };
  const unavailable = { status: 503, code: 'unavailable' };

  it('is not there', async () => {
    const { answer, errors } = await reach({ kind: 'tcp', host: '127.0.0.1', port: 1, fallbackHost: null });
    expect(answer).toMatchObject(unavailable);
    expect(errors.get('connect')).toBe(1);
  });
  it('refuses', async () => {
    const rogue = createServer((socket) =>
      socket.once('data', () => socket.end('HTTP/1.1 401 Unauthorized\r\nSet-Cookie: a=b\r\n\r\n<script>')),
    );
    const { answer, errors } = await reach(await listenTcp(rogue));
    expect(answer).toMatchObject(unavailable);
    expect(answer.headers['set-cookie']).toBeUndefined();
    expect(answer.body).not.toContain('script');
    expect(errors.get('refused')).toBe(1);
  });
  it('says nothing', async () => {
    const { answer, errors } = await reach(await listenTcp(createServer()));
    expect(answer).toMatchObject(unavailable);
    expect(errors.get('timeout')).toBe(1);
  });
  it('hangs up at once', async () => {
    const { answer } = await reach(await listenTcp(createServer((socket) => socket.end())));
    expect(answer).toMatchObject(unavailable);
  });
  it('speaks something else', async () => {
    const { answer, errors } = await reach(
      await listenTcp(createServer((socket) => socket.write('SSH-2.0-x\r\n\r\n'))),
    );
    expect(answer).toMatchObject(unavailable);
    expect(errors.get('malformed')).toBe(1);
  });
  it('never ends its headers', async () => {
    const { answer, errors } = await reach(
      await listenTcp(createServer((socket) => socket.write(`HTTP/1.1 101 x\r\n${'X-A: b\r\n'.repeat(4_000)}`))),
    );
    expect(answer).toMatchObject(unavailable);
    expect(errors.get('malformed')).toBe(1);
  });

  it.each([
    ['outside the directory', (dir: string) => `${dir}-other/t.sock`],
    ['behind dots', (dir: string) => `${dir}/../x/t.sock`],
    ['the directory itself', (dir: string) => dir],
    ['relative', () => 'run/t.sock'],
    ['longer than a socket path may be', (dir: string) => `${dir}/${'ä'.repeat(50)}`],
  ])('has a unix path %s is not connected to', async (_name, pathIn) => {
    const dir = await shortDir(cleanup);
    const { answer, errors } = await reach(
      { kind: 'unix', path: pathIn(dir) },
      { upstream: { unixDirectory: dir, tcp: false } },
    );
    expect(answer).toMatchObject(unavailable);
    expect(errors.get('policy')).toBe(1);
  });
  it('has a TCP address where only unix sockets are used is not connected to', async () => {
    const dir = await shortDir(cleanup);
    const { errors } = await reach(
      { kind: 'tcp', host: '127.0.0.1', port: 1, fallbackHost: null },
      { upstream: { unixDirectory: dir, tcp: false } },
    );
    expect(errors.get('policy')).toBe(1);
  });
});

describe('a malformed request', () => {
  it.each<[string, (ticket: string) => string | Buffer, RegExp]>([
    ['another path', (ticket) => handshakeText(`/other?token=${ticket}`), / 404 .*not_found/s],
    ['a deeper path', (ticket) => handshakeText(`/ws/42/x?token=${ticket}`), / 404 .*not_found/s],
    ['an encoded path', (ticket) => handshakeText(`/ws/%34%32?token=${ticket}`), / 404 .*not_found/s],
    ['no ticket', () => handshakeText('/ws/42'), / 401 .*unauthenticated/s],
    ['two tickets', (ticket) => handshakeText(`/ws/42?token=${ticket}&token=${ticket}`), / 401 .*ticket_invalid/s],
    [
      'two origins',
      (ticket) =>
        handshakeText(`/ws/42?token=${ticket}`).replace('\r\n\r\n', `\r\nOrigin: https://evil.example\r\n\r\n`),
      / 400 .*invalid_request/s,
    ],
    [
      'an old version',
      (ticket) => handshakeText(`/ws/42?token=${ticket}`, { 'Sec-WebSocket-Version': '8' }),
      / 400 .*invalid_request/s,
    ],
    [
      'a bad key',
      (ticket) => handshakeText(`/ws/42?token=${ticket}`, { 'Sec-WebSocket-Key': 'x' }),
      / 400 .*invalid_request/s,
    ],
    [
      'no subprotocol',
      (ticket) => handshakeText(`/ws/42?token=${ticket}`, { 'Sec-WebSocket-Protocol': 'chat' }),
      / 400 .*invalid_request/s,
    ],
    [
      'another upgrade',
      (ticket) => handshakeText(`/ws/42?token=${ticket}`, { Upgrade: 'h2c' }),
      / 400 .*invalid_request/s,
    ],
    ['no upgrade', () => 'GET /ws/42 HTTP/1.1\r\nHost: x\r\n\r\n', / 404 .*not_found/s],
    ['no HTTP', () => '\x16\x03\x01\x02\x00', / 400 .*invalid_request/s],
    ['endless headers', () => `GET /ws/42 HTTP/1.1\r\n${'X: y\r\n'.repeat(9_000)}`, / 400 .*invalid_request/s],
    ['a POST', (ticket) => handshakeText(`/ws/42?token=${ticket}`).replace('GET', 'POST'), / 400 .*invalid_request/s],
  ])('with %s gets a plain answer', async (_name, bytes, expected) => {
    const { proxy, ticket } = await start();
    const answer = await rawRequest(proxy.port, bytes(ticket()));
    expect(answer.startsWith('HTTP/1.1 ')).toBe(true);
    expect(answer).toMatch(expected);
    await openClient(cleanup, proxy.port, { ticket: ticket() });
  });

  it('of random bytes never stops the proxy', async () => {
    const { proxy, ticket } = await start();
    await Promise.all(
      Array.from({ length: 50 }, () =>
        rawRequest(proxy.port, Buffer.concat([randomBytes(500), Buffer.from('\r\n\r\n')])),
      ),
    );
    await openClient(cleanup, proxy.port, { ticket: ticket() });
  });
});

/** Timers of established connections between two ports: kind (2 = keepalive) and seconds left, as the kernel has them. */
const timersOf = (localPort: number | null, remotePort: number | null): { kind: number; seconds: number }[] =>
  readFileSync('/proc/net/tcp', 'utf8')
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .filter(([, local = '', remote = '', state]) => {
      const matches = (address: string, port: number | null): boolean =>
        port === null || address.endsWith(`:${port.toString(16).toUpperCase().padStart(4, '0')}`);
      return state === '01' && matches(local, localPort) && matches(remote, remotePort);
    })
    .map(([, , , , , timer = '']) => {
      const [kind = '', ticks = ''] = timer.split(':');
      return { kind: parseInt(kind, 16), seconds: parseInt(ticks, 16) / 100 };
    });

describe('half-open connections', () => {
  it('are found by keepalive, on both sides', async () => {
    const { farEnd, proxy, ticket } = await start();
    await openClient(cleanup, proxy.port, { ticket: ticket() });
    const farPort = farEnd.upstream.kind === 'tcp' ? farEnd.upstream.port : 0;
    for (const timers of [timersOf(proxy.port, null), timersOf(null, farPort)]) {
      expect(timers).toHaveLength(1);
      expect(timers[0]?.kind).toBe(2);
      expect(timers[0]?.seconds).toBeLessThanOrEqual(30);
    }
  });
});

describe('ends', () => {
  it('of the client end the terminal server’s side', async () => {
    const { farEnd, proxy, ticket } = await start();
    const accepted = farEnd.accepted();
    const client = await openClient(cleanup, proxy.port, { ticket: ticket() });
    const closed = once(await accepted, 'close');
    client.terminate();
    await closed;
    await waitUntil(() => proxy.relay.connectionCount === 0);
  });

  it('of the terminal server reach the client as a lost connection', async () => {
    const { farEnd, proxy, ticket } = await start();
    const accepted = farEnd.accepted();
    const client = await openClient(cleanup, proxy.port, { ticket: ticket() });
    const closed = once(client, 'close');
    (await accepted).terminate();
    expect((await closed)[0]).toBe(1006);
    await waitUntil(() => proxy.relay.connectionCount === 0);
  });

  it('come for connections on which nothing moves', async () => {
    const { proxy, ticket } = await start({ limits: { idleTimeoutMs: 1_000 } });
    const client = await openClient(cleanup, proxy.port, { ticket: ticket() });
    expect((await once(client, 'close'))[0]).toBe(1006);
    expect(proxy.relay.metrics.endedIdle).toBe(1);
  });

  it('are spread over the drain time, and nothing new is taken meanwhile', async () => {
    const { proxy, ticket } = await start();
    const clients = await Promise.all(
      Array.from({ length: 10 }, () => openClient(cleanup, proxy.port, { ticket: ticket() })),
    );
    const startedAt = performance.now();
    const endedAt = Promise.all(
      clients.map(async (client) => {
        await once(client, 'close');
        return performance.now() - startedAt;
      }),
    );
    const drained = proxy.relay.drain(1_000);
    expect(await refusedClient(proxy.port, { ticket: ticket() })).toMatchObject({ status: 503, code: 'unavailable' });
    await drained;
    const times = await endedAt;
    expect(Math.min(...times)).toBeLessThan(300);
    expect(Math.max(...times)).toBeGreaterThan(700);
  });
});

describe('health and metrics', () => {
  it('are the only pages', async () => {
    const { proxy, ticket } = await start();
    await openClient(cleanup, proxy.port, { ticket: ticket() });
    const page = (path: string) => fetch(`http://127.0.0.1:${proxy.port}${path}`);
    expect((await page('/health/live')).status).toBe(200);
    expect((await page('/health/ready')).status).toBe(200);
    const metrics = await (await page('/metrics')).text();
    expect(metrics).toContain('sac_ws_connections 1');
    expect(metrics).toMatch(/sac_ws_resident_memory_bytes \d+/);
    expect(metrics).toContain('sac_ws_budget_waits_total 0');
    expect(metrics).toContain('sac_ws_echo_seconds_bucket{le="+Inf"} 0');
    const missing = await page('/');
    expect(missing.status).toBe(404);
    expect(await missing.json()).toMatchObject({ code: 'not_found', requestId: expect.any(String) as unknown });
  });
});
