import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import {
  Cleanup,
  openClient,
  ORIGIN,
  SESSION,
  startFarEnd,
  startProxy,
  ticketFor,
  waitUntil,
} from './testing/fixtures.ts';

const cleanup = new Cleanup();
afterEach(() => cleanup.run());

const MEGABYTE = 1024 * 1024;

/** The TCP sockets below the WebSockets of the far end: bytes are compared without any framing. */
const startRaw = async (config: Parameters<typeof startProxy>[1] = {}) => {
  const farEnd = await startFarEnd(cleanup);
  const proxy = await startProxy(cleanup, config);
  const open = async (): Promise<{ client: Socket; server: Socket }> => {
    const upgraded = once(farEnd.webSockets, 'connection') as Promise<[{ _socket: Socket }]>;
    const client = connect(proxy.port, '127.0.0.1');
    cleanup.add(() => client.destroy());
    const ticket = ticketFor({ upstream: farEnd.upstream });
    client.write(
      `GET /ws/${SESSION}?token=${ticket} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nOrigin: ${ORIGIN}\r\n` +
        'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: tty\r\n\r\n',
    );
    const [{ _socket: server }] = await upgraded;
    server.removeAllListeners('data');
    server.resume();
    await readHead(client);
    return { client, server };
  };
  return { proxy, open };
};

const readHead = async (client: Socket): Promise<void> => {
  let head = '';
  while (!head.includes('\r\n\r\n')) {
    await waitUntil(() => client.readableLength > 0);
    head += (client.read() as Buffer).toString('latin1');
  }
  expect(head.endsWith('\r\n\r\n')).toBe(true);
};

const writeAll = async (socket: Socket, bytes: Buffer): Promise<void> => {
  if (!socket.write(bytes)) await once(socket, 'drain');
};

/** Hash of the next `byteCount` bytes. */
const hashOf = async (socket: Socket, byteCount: number): Promise<string> => {
  const hash = createHash('sha256');
  let received = 0;
  socket.on('data', (chunk: Buffer) => {
    hash.update(chunk);
    received += chunk.length;
  });
  await waitUntil(() => received >= byteCount, 60_000);
  expect(received).toBe(byteCount);
  return hash.digest('hex');
};

/** Sends random pieces of random sizes, which is what splits anything that could be split. */
const sendRandom = async (socket: Socket, byteCount: number): Promise<string> => {
  const hash = createHash('sha256');
  const source = randomBytes(MEGABYTE);
  for (let sent = 0; sent < byteCount;) {
    const length = Math.min(byteCount - sent, 1 + Math.floor(Math.random() ** 4 * 256 * 1024));
    const start = Math.floor(Math.random() * (MEGABYTE - Math.min(length, MEGABYTE - 1)));
    const piece = source.subarray(start, start + length);
    hash.update(piece);
    await writeAll(socket, Buffer.from(piece));
    sent += piece.length;
    if (piece.length < length) break;
  }
  return hash.digest('hex');
};

describe('the splice', () => {
  it('passes 200 MB to the client and 50 MB to the terminal server, byte for byte, at once', async () => {
    const { open, proxy } = await startRaw();
    const { client, server } = await open();
    const [toClient, atClient, toServer, atServer] = await Promise.all([
      sendRandom(server, 200 * MEGABYTE),
      hashOf(client, 200 * MEGABYTE),
      sendRandom(client, 50 * MEGABYTE),
      hashOf(server, 50 * MEGABYTE),
    ]);
    expect(atClient).toBe(toClient);
    expect(atServer).toBe(toServer);
    expect(proxy.relay.metrics.bytesToClient).toBe(200 * MEGABYTE);
    expect(proxy.relay.metrics.pacedReads).toBeGreaterThan(0);
  }, 120_000);

  it('stops reading while the client does not read, and goes on without a gap', async () => {
    const { open, proxy } = await startRaw();
    const { client, server } = await open();
    const before = process.memoryUsage();
    const expected = createHash('sha256');
    const piece = randomBytes(64 * 1024);
    let sent = 0;
    // Until the path is full: kernel buffers, then the sender itself.
    for (let stuck = 0; stuck < 20;) {
      if (server.writableLength > 0) {
        stuck += 1;
        await new Promise((resolve) => setTimeout(resolve, 10));
        continue;
      }
      stuck = 0;
      expected.update(piece);
      server.write(piece);
      sent += piece.length;
    }
    const after = process.memoryUsage();
    const held = after.arrayBuffers + after.external - before.arrayBuffers - before.external;
    expect(held).toBeLessThan(4 * MEGABYTE);
    expect(proxy.relay.metrics.bytesToClient).toBeLessThanOrEqual(sent);
    expect(await hashOf(client, sent)).toBe(expected.digest('hex'));
  });

  it('stops reading while the terminal server does not read', async () => {
    const { open, proxy } = await startRaw();
    const { client, server } = await open();
    server.pause();
    const piece = randomBytes(64 * 1024);
    let sent = 0;
    for (let stuck = 0; stuck < 20;) {
      if (client.writableLength > 0) {
        stuck += 1;
        await new Promise((resolve) => setTimeout(resolve, 10));
        continue;
      }
      stuck = 0;
      client.write(piece);
      sent += piece.length;
    }
    expect(proxy.relay.metrics.bytesToUpstream).toBeLessThanOrEqual(sent);
    let received = 0;
    server.on('data', (chunk: Buffer) => (received += chunk.length));
    server.resume();
    await waitUntil(() => received === sent);
  });

  it('ends a client that takes nothing for too long', async () => {
    const { open, proxy } = await startRaw({ limits: { stalledTimeoutMs: 1_000 } });
    const { server } = await open();
    const piece = randomBytes(256 * 1024);
    const closed = new Promise<void>((resolve) => server.on('error', () => undefined).once('close', () => resolve()));
    const timer = setInterval(() => server.writableLength === 0 && server.write(piece), 1);
    cleanup.add(() => clearInterval(timer));
    await closed;
    expect(proxy.relay.metrics.endedStalled).toBe(1);
    await waitUntil(() => proxy.relay.connectionCount === 0);
  });

  it('delivers what was sent before an end', async () => {
    const { open } = await startRaw();
    const { client, server } = await open();
    const sent = sendRandom(server, 3 * MEGABYTE);
    const received = hashOf(client, 3 * MEGABYTE);
    const ended = once(client, 'end');
    const expected = await sent;
    server.end();
    expect(await received).toBe(expected);
    await ended;
  });

  it('keeps the echo of a quiet terminal quick while others flood', async () => {
    const { open } = await startRaw();
    const floods = await Promise.all(Array.from({ length: 10 }, open));
    const quiet = await open();
    const piece = randomBytes(16 * 1024);
    for (const { client, server } of floods) {
      client.resume();
      const timer = setInterval(() => {
        for (let i = 0; i < 8 && server.writableLength === 0; i += 1) server.write(piece);
      }, 1);
      cleanup.add(() => clearInterval(timer));
    }
    quiet.server.on('data', (chunk: Buffer) => quiet.server.write(chunk));
    quiet.client.resume();
    const times: number[] = [];
    for (let i = 0; i < 50; i += 1) {
      const startedAt = performance.now();
      const back = once(quiet.client, 'data');
      quiet.client.write('x');
      await back;
      times.push(performance.now() - startedAt);
    }
    // All ends share one process here; the bound only finds a quiet connection that is queued behind the floods.
    const median = times.sort((a, b) => a - b)[25] ?? Infinity;
    expect(median).toBeLessThan(100);
  });
});

describe('many connections', () => {
  it('open and close without leaving anything behind', async () => {
    const farEnd = await startFarEnd(cleanup);
    const proxy = await startProxy(cleanup);
    const clients = await Promise.all(
      Array.from({ length: 200 }, () =>
        openClient(cleanup, proxy.port, { ticket: ticketFor({ upstream: farEnd.upstream }) }),
      ),
    );
    expect(proxy.relay.connectionCount).toBe(200);
    for (const client of clients) client.close();
    await waitUntil(() => proxy.relay.connectionCount === 0);
    expect(proxy.relay.metrics.connectionsOpen).toBe(0);
  });
});
