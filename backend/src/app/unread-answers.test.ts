import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { connect, type AddressInfo, type Socket } from 'node:net';
import { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { endUnreadAnswers } from './unread-answers.ts';

const TIMEOUT_MS = 500;
/** More than the system takes of an answer that nobody reads. */
const PIECE = Buffer.alloc(1024 * 1024);
const PIECES = 48;

let server: Server;
const sockets: Socket[] = [];
afterEach(() => {
  for (const socket of sockets.splice(0)) socket.destroy();
  server.closeAllConnections();
  server.close();
});

const start = async (): Promise<void> => {
  server = createServer((request, response) => {
    if (request.url === '/whole') response.end(Buffer.alloc(PIECES * PIECE.length));
    else if (request.url === '/stream') Readable.from(Array.from({ length: PIECES }, () => PIECE)).pipe(response);
    else setTimeout(() => response.end('late'), 3 * TIMEOUT_MS);
  });
  endUnreadAnswers(server);
  expect(server.timeout).toBe(60_000);
  server.timeout = TIMEOUT_MS;
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
};
const ask = (path: string): Socket => {
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
  sockets.push(socket);
  socket.on('error', () => undefined);
  socket.write(`GET ${path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n`);
  return socket;
};
const openConnections = () => new Promise<number>((resolve) => server.getConnections((_err, count) => resolve(count)));

describe('an answer', () => {
  it.each(['/whole', '/stream'])('that nobody reads ends its connection (%s)', async (path) => {
    await start();
    ask(path).pause();
    await sleep(TIMEOUT_MS / 2);
    expect(await openConnections()).toBe(1);
    await expect.poll(openConnections, { timeout: 20_000 }).toBe(0);
  });

  it.each(['/whole', '/stream'])('that is read slowly arrives whole (%s)', async (path) => {
    await start();
    const startedAtMs = performance.now();
    let bytes = 0;
    for await (const chunk of ask(path)) {
      bytes += (chunk as Buffer).length;
      await sleep(1);
    }
    expect(bytes).toBeGreaterThan(PIECES * PIECE.length);
    expect(performance.now() - startedAtMs).toBeGreaterThan(1.5 * TIMEOUT_MS);
  });

  it('that takes its time to be made is waited for', async () => {
    await start();
    let text = '';
    for await (const chunk of ask('/late')) text += String(chunk);
    expect(text).toMatch(/^HTTP\/1\.1 200 /);
  });
});
