// @vitest-environment node
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { decodeClientFrame, encodeServerFrame, type ClientMessage, type ServerMessage } from '@sac/contracts';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { WebSocketServer, type WebSocket as ServerSocket } from 'ws';
import { ApiError } from '../../api/api-error.ts';
import { RecordConnection } from './record-connection.ts';

const file = Uint8Array.from({ length: 300_000 }, (_, index) => index % 251);
let server: ReturnType<typeof createServer>;
let webSockets: WebSocketServer;
let connections: number;
let respond: (message: ClientMessage, socket: ServerSocket) => ServerMessage | null;
let connection: RecordConnection;
let url: string;

const list = { recorded: true, terminals: ['main'], segments: [] };
const honest: typeof respond = (message) => {
  if (message.type !== 'recordingRequest') return null;
  const { request } = message;
  if (request.ask === 'list') return { type: 'recordingInfo', info: { id: request.id, list } };
  return { type: 'recordingData', id: request.id, data: file.subarray(request.offset, request.offset + 131_072) };
};

beforeEach(async () => {
  server = createServer();
  webSockets = new WebSocketServer({ server, handleProtocols: () => 'tty' });
  connections = 0;
  respond = honest;
  webSockets.on('connection', (socket) => {
    connections++;
    socket.on('message', (data: Buffer) => {
      const decoded = decodeClientFrame(data);
      if (!decoded.ok) throw new Error(decoded.error.message);
      const answer = respond(decoded.message, socket);
      if (answer !== null) socket.send(encodeServerFrame(answer));
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  url = `ws://127.0.0.1:${(server.address() as AddressInfo).port}/ws`;
  connection = new RecordConnection(() => Promise.resolve(url));
});
afterEach(async () => {
  connection.close();
  for (const socket of webSockets.clients) socket.terminate();
  await new Promise((resolve) => server.close(resolve));
});

describe('the connection to a record', () => {
  it('lists and reads piece by piece, asked all at once, over one socket', async () => {
    const [listed, whole, part] = await Promise.all([
      connection.list(),
      connection.read({ id: 1, bytes: file.length }),
      connection.read({ id: 1, bytes: 1_000 }),
    ]);
    expect(listed).toEqual(list);
    expect(Buffer.from(whole).equals(file)).toBe(true);
    expect(Buffer.from(part).equals(file.subarray(0, 1_000))).toBe(true);
    expect(connections).toBe(1);
  });

  it('connects anew when it was cut in the middle', async () => {
    let cuts = 0;
    respond = (message, socket) => {
      if (
        message.type === 'recordingRequest' &&
        message.request.ask === 'read' &&
        message.request.offset > 0 &&
        cuts++ === 0
      ) {
        socket.terminate();
        return null;
      }
      return honest(message, socket);
    };
    const whole = await connection.read({ id: 1, bytes: file.length });
    expect(Buffer.from(whole).equals(file)).toBe(true);
    expect(connections).toBe(2);
  });

  it('gives up after two losses, and says why a sandbox of an older version has none', async () => {
    respond = (_message, socket) => {
      socket.close(1012);
      return null;
    };
    await expect(connection.list()).rejects.toMatchObject({ failure: 'lost' });
    respond = (message) =>
      message.type === 'hello'
        ? { type: 'sync', sync: { stream: 's', offset: 0, kind: 'snapshot', columns: 80, rows: 24 } }
        : null;
    await expect(connection.list()).rejects.toMatchObject({ failure: 'outdated' });
  });

  it('passes on what the server refuses, and what the ticket request says', async () => {
    respond = (message) =>
      message.type === 'recordingRequest'
        ? { type: 'recordingInfo', info: { id: message.request.id, error: 'not_found', message: 'gone' } }
        : null;
    await expect(connection.read({ id: 5, bytes: 10 })).rejects.toMatchObject({ failure: 'gone' });
    const asleep = new ApiError({ code: 'asleep', message: 'Asleep.' });
    const other = new RecordConnection(() => Promise.reject(asleep));
    await expect(other.list()).rejects.toBe(asleep);
    other.close();
  });

  it('leaves no socket behind when the page goes while it is being opened', async () => {
    const listed = connection.list();
    // The ticket is there and the socket begun, but the server has not answered yet.
    for (let turn = 0; turn < 50; turn++) await Promise.resolve();
    connection.close();
    await expect(listed).rejects.toMatchObject({ failure: 'lost' });
    await vi.waitFor(() => expect(webSockets.clients.size).toBe(0));
    expect(connections).toBe(1);
  });

  it('ends what waits when the page goes', async () => {
    respond = () => null;
    const waiting = connection.list();
    await new Promise((resolve) => setTimeout(resolve, 50));
    connection.close();
    await expect(waiting).rejects.toMatchObject({ failure: 'lost' });
  });
});
