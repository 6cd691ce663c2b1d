import { once } from 'node:events';
import { get, type IncomingMessage } from 'node:http';
import { connect, type AddressInfo, type Socket } from 'node:net';
import type { FastifyInstance } from 'fastify';
import pino from 'pino';
import { afterEach, describe, expect, it } from 'vitest';
import { AppError } from '../lib/app-error.ts';
import { buildInternalServer, type InternalLimits } from './build-internal.ts';

const LIMITS: InternalLimits = {
  perAddress: 3,
  total: 5,
  listener: 'internal',
  headersTimeoutMs: 500,
  requestTimeoutMs: 1_000,
};
const STREAM_MS = 3_000;

let app: FastifyInstance | undefined;
const sockets: Socket[] = [];

const listen = async (limits = LIMITS): Promise<number> => {
  app = await buildInternalServer(
    pino({ level: 'silent' }),
    [
      (scope) =>
        scope.get('/secret', async (request) => {
          if (request.headers.authorization !== 'Bearer good') throw new AppError('unauthenticated', 'Who is there?');
          return 'told';
        }),
      (scope) =>
        scope.get('/stream', (_request, reply) => {
          reply.hijack();
          reply.raw.write('begun\n');
          setTimeout(() => reply.raw.end('ended\n'), STREAM_MS);
        }),
    ],
    limits,
  );
  await app.listen({ port: 0, host: '127.0.0.1' });
  return (app.server.address() as AddressInfo).port;
};
const open = async (port: number, localAddress = '127.0.0.1'): Promise<Socket> => {
  const socket = connect({ port, host: '127.0.0.1', localAddress });
  sockets.push(socket);
  socket.on('error', () => undefined).resume();
  await once(socket, 'connect');
  return socket;
};
const hasClosed = async (socket: Socket): Promise<void> => {
  if (!socket.closed) await once(socket, 'close', { signal: AbortSignal.timeout(20_000) });
};

afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  await app?.close();
});

describe('the listener for sandboxes', () => {
  it('closes what one address opens beyond its limit, and takes it again when another has gone', async () => {
    const port = await listen({ ...LIMITS, headersTimeoutMs: 60_000, requestTimeoutMs: 60_000 });
    const held = [await open(port), await open(port), await open(port)];
    await hasClosed(await open(port));
    expect(held.map(({ closed }) => closed)).toEqual([false, false, false]);
    const other = await open(port, '127.0.0.2');
    held[0]?.destroy();
    await expect
      .poll(() => new Promise((resolve) => app?.server.getConnections((_err, count) => resolve(count))))
      .toBe(3);
    const again = await open(port);
    again.write('GET / HTTP/1.1\r\nhost: x\r\n\r\n');
    await once(again, 'data', { signal: AbortSignal.timeout(20_000) });
    expect(other.closed).toBe(false);
  });

  it('closes what all open beyond the limit of all', async () => {
    const port = await listen({ ...LIMITS, headersTimeoutMs: 60_000, requestTimeoutMs: 60_000 });
    for (const address of ['127.0.0.2', '127.0.0.3', '127.0.0.4', '127.0.0.5', '127.0.0.6']) await open(port, address);
    await hasClosed(await open(port));
  });

  it('ends a connection that says nothing, and one that does not end its request', async () => {
    const port = await listen();
    const silent = await open(port);
    const slow = await open(port);
    slow.write('POST / HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 9\r\n\r\n{');
    await Promise.all([hasClosed(silent), hasClosed(slow)]);
  });

  it.each(['/secret', '/nowhere'])('closes the connection of a request that fails (%s)', async (path) => {
    const port = await listen();
    const socket = await open(port);
    socket.write(`GET ${path} HTTP/1.1\r\nhost: x\r\n\r\n`);
    // Sooner than silence would.
    await once(socket, 'close', { signal: AbortSignal.timeout(400) });
  });

  it('answers an address that has failed too often no more for a while, and all others', async () => {
    const port = await listen({ ...LIMITS, perAddress: 256, headersTimeoutMs: 60_000, requestTimeoutMs: 60_000 });
    const ask = async (localAddress: string, credential: string): Promise<number | undefined> => {
      const headers = { authorization: `Bearer ${credential}` };
      const [response] = (await once(
        get({ port, host: '127.0.0.1', path: '/secret', localAddress, headers, agent: false }),
        'response',
      )) as [IncomingMessage];
      response.resume();
      return response.statusCode;
    };
    for (let index = 0; index < 400; index += 1) expect(await ask('127.0.0.2', 'good')).toBe(200);
    for (let index = 0; index < 300; index += 1) expect(await ask('127.0.0.2', 'bad')).toBe(401);
    expect([await ask('127.0.0.2', 'bad'), await ask('127.0.0.2', 'good')]).toEqual([429, 429]);
    expect([await ask('127.0.0.3', 'bad'), await ask('127.0.0.3', 'good')]).toEqual([401, 200]);
  });

  it('leaves a stream alone for as long as it lasts', async () => {
    const port = await listen();
    const request = get({ port, host: '127.0.0.1', path: '/stream', agent: false });
    const [response] = (await once(request, 'response')) as [NodeJS.ReadableStream];
    let body = '';
    for await (const chunk of response) body += String(chunk);
    expect(body).toBe('begun\nended\n');
  });
});
