import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { afterEach, describe, expect, it, vi } from 'vitest';
import type { WebSocket } from 'ws';
import {
  Cleanup,
  openClient,
  ORIGIN,
  SESSION,
  startFarEnd,
  startProxy,
  ticketFor,
  waitUntil,
  type FarEnd,
} from './testing/fixtures.ts';

const cleanup = new Cleanup();
afterEach(() => cleanup.run());

const MEBIBYTE = 1024 * 1024;

/** A client that writes its own frames, and the WebSocket the terminal server has of it. */
const openRaw = async (
  farEnd: FarEnd,
  port: number,
): Promise<{ client: Socket; server: WebSocket; rawServer: Socket }> => {
  const accepted = once(farEnd.webSockets, 'connection') as Promise<[WebSocket & { _socket: Socket }]>;
  const client = connect({ port, host: '127.0.0.1', noDelay: true });
  client.on('error', () => client.destroy());
  cleanup.add(() => client.destroy());
  client.write(
    `GET /ws/${SESSION}?token=${ticketFor({ upstream: farEnd.upstream })} HTTP/1.1\r\nHost: x\r\n` +
      `Upgrade: websocket\r\nConnection: Upgrade\r\nOrigin: ${ORIGIN}\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n` +
      'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: tty\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n',
  );
  const [head] = (await once(client, 'data')) as [Buffer];
  expect(head.toString('latin1')).toMatch(/^HTTP\/1\.1 101 /);
  expect(head.toString('latin1')).not.toMatch(/extensions/i);
  const [server] = await accepted;
  server.on('error', () => undefined);
  return { client, server, rawServer: server._socket };
};

const start = async () => {
  const farEnd = await startFarEnd(cleanup);
  const proxy = await startProxy(cleanup);
  return { farEnd, proxy, ...(await openRaw(farEnd, proxy.port)) };
};

/** `first` is the first byte: FIN, RSV bits and opcode. */
const maskedFrame = (first: number, payload: Buffer): Buffer => {
  const mask = randomBytes(4);
  const length =
    payload.length > 125 ? [0x80 | 126, payload.length >> 8, payload.length & 255] : [0x80 | payload.length];
  const masked = payload.map((byte, index) => byte ^ (mask[index % 4] ?? 0));
  return Buffer.concat([Buffer.from([first, ...length]), mask, masked]);
};
const plainFrame = (payload: Buffer): Buffer =>
  Buffer.concat([Buffer.from([0x82, 126, payload.length >> 8, payload.length & 255]), payload]);

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

const messagesOf = (webSocket: WebSocket): { data: Buffer; isBinary: boolean }[] => {
  const messages: { data: Buffer; isBinary: boolean }[] = [];
  webSocket.on('message', (data: Buffer, isBinary) => messages.push({ data, isBinary }));
  return messages;
};

const residentBytes = (): number =>
  1_024 * Number(/VmRSS:\s+(\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]);

describe('frames', () => {
  it('split at every byte boundary arrive whole, from the client', async () => {
    const { client, server } = await start();
    const messages = messagesOf(server);
    const payload = randomBytes(130);
    const frame = maskedFrame(0x82, payload);
    for (let cut = 1; cut < frame.length; cut += 1) {
      client.write(frame.subarray(0, cut));
      await turn();
      client.write(frame.subarray(cut));
      await waitUntil(() => messages.length === cut);
    }
    expect(messages.every(({ data }) => data.equals(payload))).toBe(true);
  });

  it('split at every byte boundary arrive whole, from the terminal server', async () => {
    const { client, rawServer } = await start();
    const payload = randomBytes(130);
    const frame = plainFrame(payload);
    let received: Buffer = Buffer.alloc(0);
    client.on('data', (chunk: Buffer) => (received = Buffer.concat([received, chunk])));
    for (let cut = 1; cut < frame.length; cut += 1) {
      rawServer.write(frame.subarray(0, cut));
      await turn();
      rawServer.write(frame.subarray(cut));
    }
    const expected = Buffer.concat(Array.from({ length: frame.length - 1 }, () => frame));
    await waitUntil(() => received.length >= expected.length);
    expect(received.equals(expected)).toBe(true);
  });

  it('of text pass as text: what they mean is the terminal server’s to say', async () => {
    const { client, server } = await start();
    const messages = messagesOf(server);
    client.write(maskedFrame(0x81, Buffer.from('0ls')));
    await waitUntil(() => messages.length === 1);
    expect(messages[0]).toEqual({ data: Buffer.from('0ls'), isBinary: false });
  });

  it('that are compressed although nobody agreed to it are refused by the terminal server, and the answer arrives', async () => {
    const { client, proxy } = await start();
    const answer = once(client, 'data') as Promise<[Buffer]>;
    client.write(maskedFrame(0x80 | 0x40 | 0x02, randomBytes(50)));
    const [bytes] = await answer;
    expect(bytes[0]).toBe(0x88);
    expect(bytes.readUInt16BE(2)).toBe(1002);
    await waitUntil(() => proxy.relay.connectionCount === 0);
  });
});

describe('a flood of input', () => {
  it('is held back in bounded memory while the terminal server does not read', async () => {
    const { client, rawServer, proxy } = await start();
    rawServer.pause();
    const piece = maskedFrame(0x82, randomBytes(60_000));
    const before = residentBytes();
    for (let stuck = 0; stuck < 20;) {
      stuck = client.writableLength > 0 ? stuck + 1 : 0;
      if (stuck > 0) await new Promise((resolve) => setTimeout(resolve, 10));
      else client.write(piece);
    }
    expect(proxy.relay.metrics.bytesToUpstream).toBeGreaterThan(0);
    // Both ends and the proxy are this process; kernel buffers do not count.
    expect(residentBytes() - before).toBeLessThan(16 * MEBIBYTE);
  });

  it('leaves the echo of others alone', async () => {
    const { client, farEnd, proxy } = await start();
    const frame = maskedFrame(0x82, randomBytes(60_000));
    const timer = setInterval(() => {
      for (let index = 0; index < 8 && client.writableLength === 0; index += 1) client.write(frame);
    }, 1);
    cleanup.add(() => clearInterval(timer));
    const accepted = farEnd.accepted();
    const typist = await openClient(cleanup, proxy.port, { ticket: ticketFor({ upstream: farEnd.upstream }) });
    const echoing = await accepted;
    echoing.on('message', (data: Buffer) => echoing.send(data));
    await new Promise((resolve) => setTimeout(resolve, 60));
    for (let key = 0; key < 20; key += 1) {
      const back = once(typist, 'message');
      typist.send('x');
      await back;
    }
    await waitUntil(() => proxy.relay.metrics.bytesToUpstream > 20 * MEBIBYTE, 20_000);
    expect(proxy.relay.metrics.echo.count).toBeGreaterThan(0);
  });
});

describe('5,000 clients that connect and say nothing', () => {
  it('are ended after the time for a handshake; others open meanwhile', async () => {
    const farEnd = await startFarEnd(cleanup);
    const proxy = await startProxy(cleanup, {}, 3_000);
    const silent: Socket[] = [];
    cleanup.add(() => silent.forEach((socket) => socket.destroy()));
    const before = residentBytes();
    let closed = 0;
    for (let index = 0; index < 5_000; index += 1) {
      const socket = connect(proxy.port, '127.0.0.1');
      socket.on('error', () => undefined).on('close', () => (closed += 1));
      socket.resume();
      silent.push(socket);
      if (index % 250 === 249) await once(socket, 'connect');
    }
    await openClient(cleanup, proxy.port, { ticket: ticketFor({ upstream: farEnd.upstream }) });
    // Two sockets each, since both ends are this process.
    expect(residentBytes() - before).toBeLessThan(5_000 * 30 * 1_024);
    await waitUntil(() => closed === 5_000, 25_000);
    expect(proxy.relay.connectionCount).toBe(1);
  });
});

describe('a client that asks for nothing that is here', () => {
  it.each([
    ['another address', 'GET /x HTTP/1.1\r\nHost: x\r\n\r\n', 404],
    ['no HTTP', 'hello\r\n\r\n', 400],
    ['an upgrade elsewhere', 'GET /x HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n', 404],
  ])('(%s) holds no connection open, whatever it does', async (_what, request, status) => {
    const { port, server } = await startProxy(cleanup);
    const client = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
    cleanup.add(() => client.destroy());
    let answer = '';
    client.on('error', () => undefined).on('data', (chunk: Buffer) => (answer += chunk.toString()));
    client.write(request);
    await waitUntil(() => answer.startsWith(`HTTP/1.1 ${status} `));
    const connections = (): Promise<number> =>
      new Promise((resolve, reject) => {
        server.getConnections((error, count) => (error === null ? resolve(count) : reject(error)));
      });
    await vi.waitFor(async () => expect(await connections()).toBe(0));
  });
});
