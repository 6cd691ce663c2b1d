// @vitest-environment node
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import {
  decodeClientFrame,
  encodeServerFrame,
  type ClientMessage,
  type Hello,
  type ServerMessage,
  type Size,
  type TerminalMode,
} from '@sac/contracts';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { WebSocketServer, type WebSocket as ServerSocket } from 'ws';
import { TerminalConnection } from './connection.ts';
import type { ScreenSink } from './output-flow.ts';
import type { TicketFailure } from './reconnect-policy.ts';
import type { TerminalStatus } from './status.ts';

/** Keeps the bytes in order and "parses" them a little later, as xterm.js does. */
class RecordingScreen implements ScreenSink {
  bytes = Buffer.alloc(0);
  readonly events: string[] = [];
  write(data: Uint8Array, done: () => void): void {
    this.bytes = Buffer.concat([this.bytes, data]);
    setImmediate(done);
  }
  reset(): void {
    this.bytes = Buffer.alloc(0);
    this.events.push('reset');
  }
  resize(size: Size): void {
    this.events.push(`${size.columns}x${size.rows}`);
  }
}

const server = createServer();
const webSockets = new WebSocketServer({ server, handleProtocols: () => 'tty' });
const opened: { socket: ServerSocket; raw: Socket; messages: ClientMessage[] }[] = [];
let onHello: (socket: ServerSocket, hello: Hello, raw: Socket) => void = () => undefined;
let connection: TerminalConnection;
let screen: RecordingScreen;
let status: TerminalStatus | null = null;
let phases: string[] = [];
let ticket: () => Promise<string>;
let proposed: Size | null = { columns: 100, rows: 30 };
let mode: TerminalMode = 'control';

const send = (socket: ServerSocket, ...messages: ServerMessage[]): void => {
  for (const message of messages) socket.send(encodeServerFrame(message));
};
const sync = (offset: number, kind: 'resume' | 'snapshot' = 'snapshot', stream = 's1'): ServerMessage => ({
  type: 'sync',
  sync: { stream, offset, kind, columns: 80, rows: 24 },
});
const output = (text: string): ServerMessage => ({ type: 'output', data: Buffer.from(text) });
const state = (part: Partial<Extract<ServerMessage, { type: 'state' }>['state']> = {}): ServerMessage => ({
  type: 'state',
  state: {
    owner: true,
    mode: 'control',
    viewers: [],
    offset: 0,
    foreground: null,
    exit: null,
    columns: 80,
    rows: 24,
    ...part,
  },
});
const until = async (condition: () => boolean, timeoutMs = 20_000): Promise<void> => {
  const end = performance.now() + timeoutMs;
  while (!condition()) {
    if (performance.now() > end) throw new Error('the condition was not met in time');
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
};
const latest = () => opened.at(-1) as (typeof opened)[number];
const sent = (type: ClientMessage['type']) =>
  (opened.at(-1)?.messages ?? []).filter((message) => message.type === type);

webSockets.on('connection', (socket, request) => {
  const entry = { socket, raw: request.socket, messages: [] as ClientMessage[] };
  opened.push(entry);
  socket.on('error', () => undefined);
  socket.on('message', (data: Buffer) => {
    const decoded = decodeClientFrame(data);
    if (!decoded.ok) throw new Error(decoded.error.message);
    entry.messages.push(decoded.message);
    if (decoded.message.type === 'hello') onHello(socket, decoded.message.hello, request.socket);
    if (decoded.message.type === 'echoRequest') send(socket, { type: 'echoReply', payload: decoded.message.payload });
  });
});

beforeEach(async () => {
  if (!server.listening) {
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
  }
  opened.length = 0;
  phases = [];
  mode = 'control';
  proposed = { columns: 100, rows: 30 };
  onHello = (socket) => send(socket, sync(0), { type: 'snapshot', data: Buffer.from('$ ') }, state());
  ticket = () => Promise.resolve(`ws://127.0.0.1:${(server.address() as AddressInfo).port}/`);
  screen = new RecordingScreen();
  connection = new TerminalConnection({
    mode: () => mode,
    screen,
    requestTicket: () => ticket(),
    ticketFailureOf: (error) => error as TicketFailure,
    proposedSize: () => proposed,
    onStatus: (next) => {
      if (status?.phase !== next.phase) phases.push(next.phase);
      status = next;
    },
  });
});
afterEach(() => {
  connection.disconnect();
  for (const { socket } of opened) socket.terminate();
});

describe('a connection', () => {
  it('says hello with its size and shows the snapshot', async () => {
    connection.connect();
    await until(() => screen.bytes.length > 0 && connection.status.owner);
    expect(latest().messages[0]).toMatchObject({
      type: 'hello',
      hello: { columns: 100, rows: 30, sac: { version: 1, mode: 'control', wantsOwnership: true } },
    });
    expect(screen.bytes.toString()).toBe('$ ');
    expect(screen.events[0]).toBe('reset');
    expect(phases).toEqual(['opening', 'live']);
  });

  it('measures the round trip', async () => {
    connection.connect();
    await until(() => connection.status.rttMs !== null);
    expect(connection.status.rttMs).toBeGreaterThanOrEqual(0);
  });

  it('acknowledges what the screen has parsed', async () => {
    onHello = (socket) => send(socket, sync(1_000), output('x'.repeat(200_000)), output('y'));
    connection.connect();
    await until(() => sent('acknowledge').some((message) => 'offset' in message && message.offset === 201_001));
    expect(connection.position).toEqual({ stream: 's1', offset: 201_001 });
  });

  it('sends input only while it is live, in pieces that fit a frame', async () => {
    expect(connection.input(Buffer.from('lost'))).toBe(false);
    connection.connect();
    await until(() => connection.status.phase === 'live');
    connection.input(Buffer.alloc(150_000, 65));
    await until(() => sent('input').length === 3);
    expect(sent('input').map((message) => ('data' in message ? message.data.length : 0))).toEqual([
      65_536, 65_536, 18_928,
    ]);
  });

  it('offers its size when it becomes the owner, and again only when the box changed', async () => {
    onHello = (socket) => send(socket, sync(0), state({ owner: false }));
    connection.connect();
    await until(() => connection.status.size !== null && connection.status.phase === 'live');
    proposed = { columns: 120, rows: 40 };
    connection.sizeChanged();
    connection.takeOwnership();
    await until(() => sent('takeOwnership').length === 1);
    expect(sent('resize')).toHaveLength(0);
    send(latest().socket, state({ owner: true }));
    await until(() => sent('resize').length === 1);
    send(latest().socket, state({ owner: true, columns: 120, rows: 40 }));
    await until(() => screen.events.at(-1) === '120x40');
    connection.sizeChanged();
    proposed = { columns: 121, rows: 40 };
    connection.sizeChanged();
    await until(() => sent('resize').length === 2);
  });

  it('holds output back while it is hidden', async () => {
    connection.connect();
    await until(() => connection.status.phase === 'live');
    connection.setVisible(false);
    await until(() => sent('pause').length === 1);
    connection.setVisible(true);
    await until(() => sent('resume').length === 1);
    connection.setVisible(true);
    expect(sent('resume')).toHaveLength(1);
  });

  it('falls back with a stock ttyd: no acknowledgement, no echo, no pause, its own size', async () => {
    onHello = (socket) =>
      send(socket, { type: 'title', title: 'bash' }, { type: 'preferences', preferences: {} }, output('hello'));
    connection.connect();
    await until(() => screen.bytes.toString() === 'hello');
    expect(connection.status).toMatchObject({ phase: 'live', resumable: false, title: 'bash' });
    connection.setVisible(false);
    connection.setVisible(true);
    proposed = { columns: 90, rows: 20 };
    connection.sizeChanged();
    await until(() => sent('resize').length === 1);
    expect(screen.events.at(-1)).toBe('90x20');
    expect(new Set(latest().messages.map(({ type }) => type))).toEqual(new Set(['hello', 'resize']));
  });
});

describe('a connection that only watches', () => {
  it('sends no input and takes no size, and still shows and acknowledges', async () => {
    mode = 'view';
    onHello = (socket) => send(socket, sync(0), state({ owner: false, mode: 'view' }), output('seen'));
    connection.connect();
    await until(() => screen.bytes.toString() === 'seen');
    expect(connection.input(Buffer.from('rm -r .\r'), true)).toBe(false);
    connection.takeOwnership();
    proposed = { columns: 120, rows: 40 };
    connection.sizeChanged();
    await until(() => sent('echoRequest').length > 0 && sent('acknowledge').length > 0);
    expect(latest().messages[0]).toMatchObject({ hello: { sac: { mode: 'view', wantsOwnership: false } } });
    const types = new Set(latest().messages.map(({ type }) => type));
    expect(types).toEqual(new Set(['hello', 'acknowledge', 'echoRequest']));
  });

  it('is the same one when its person takes part again: from where the screen is, with the size they had', async () => {
    connection.connect();
    await until(() => connection.status.owner);
    mode = 'view';
    expect(connection.input(Buffer.from('late'))).toBe(false);
    onHello = (socket) => send(socket, sync(0, 'resume'), state({ owner: false, mode: 'view' }));
    connection.modeChanged();
    await until(() => opened.length === 2 && connection.status.phase === 'live' && !connection.status.owner);
    mode = 'control';
    onHello = (socket) => send(socket, sync(0, 'resume'), state());
    connection.modeChanged();
    expect(connection.input(Buffer.from('early'))).toBe(false);
    await until(() => opened.length === 3 && connection.status.owner);
    expect(latest().messages[0]).toMatchObject({
      hello: { sac: { mode: 'control', stream: 's1', wantsOwnership: true } },
    });
    expect(connection.input(Buffer.from('ls'))).toBe(true);
    await until(() => sent('input').length === 1);
    expect(screen.bytes.toString()).toBe('$ ');
  });

  it('asks for nothing while there is no connection to change', async () => {
    mode = 'view';
    connection.modeChanged();
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(opened).toHaveLength(0);
  });
});

describe('a lost connection', () => {
  it('comes back by itself and asks for the missing bytes', async () => {
    connection.connect();
    await until(() => connection.status.owner);
    send(latest().socket, output('abc'));
    await until(() => screen.bytes.toString() === '$ abc');
    onHello = (socket, hello) => send(socket, sync(hello.sac?.offset ?? -1, 'resume'), output('def'));
    latest().raw.destroy();
    await until(() => screen.bytes.toString() === '$ abcdef');
    expect(opened).toHaveLength(2);
    expect(latest().messages[0]).toMatchObject({ hello: { sac: { stream: 's1', offset: 3, wantsOwnership: true } } });
  });

  it('takes a snapshot when the server goes on elsewhere', async () => {
    connection.connect();
    await until(() => connection.status.owner);
    let wrong = 0;
    onHello = (socket, hello) => {
      if (hello.sac?.stream !== undefined && wrong++ === 0) send(socket, sync(999, 'resume'));
      else send(socket, sync(50), { type: 'snapshot', data: Buffer.from('new') });
    };
    latest().raw.destroy();
    await until(() => screen.bytes.toString() === 'new');
    expect(wrong).toBe(1);
  });

  it('is tried again with a new ticket each time, and at once when the page is back', async () => {
    let tickets = 0;
    const good = ticket;
    ticket = () => {
      tickets += 1;
      return tickets < 6
        ? Promise.reject(Object.assign(new Error('down'), { code: 'network', requestId: '' }))
        : good();
    };
    connection.connect();
    while (connection.status.phase !== 'live') {
      connection.nudge();
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
    expect(tickets).toBe(6);
  });

  it.each([
    [1000, 'ended'],
    [1008, 'refused'],
    [4004, 'refused'],
  ])('by close %i is %s, and nothing is tried', async (code, phase) => {
    connection.connect();
    await until(() => connection.status.owner);
    send(latest().socket, state({ exit: { code: 3, signal: null } }));
    latest().socket.close(code, 'reason');
    await until(() => connection.status.phase === phase);
    connection.nudge();
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(opened).toHaveLength(1);
    expect(connection.status.exit).toEqual({ code: 3, signal: null });
  });

  it('by a server that asks to try later says why, until it is back', async () => {
    const accept = onHello;
    onHello = (socket) => socket.close(1013, '32 viewers, the limit is 32');
    connection.connect();
    await until(() => connection.status.phase === 'reconnecting');
    expect(connection.status.retryReason).toBe('32 viewers, the limit is 32');
    expect((connection.status.retryAt ?? 0) - Date.now()).toBeGreaterThan(500);
    onHello = accept;
    connection.nudge();
    expect(connection.status.retryReason).toBe('32 viewers, the limit is 32');
    await until(() => connection.status.owner);
    expect(connection.status.retryReason).toBe('');
  });

  it('by a refused ticket is final', async () => {
    onHello = (socket) => socket.close(4001, 'used');
    connection.connect();
    await until(() => connection.status.phase === 'refused');
    expect(opened).toHaveLength(1);
    expect(connection.status.refusal).toEqual({ code: 'ticket', message: 'used', requestId: '' });
  });

  it('with a final ticket error says why', async () => {
    ticket = () => Promise.reject(Object.assign(new Error('It sleeps.'), { code: 'asleep', requestId: 'r1' }));
    connection.connect();
    await until(() => connection.status.phase === 'refused');
    expect(connection.status.refusal).toEqual({ code: 'asleep', message: 'It sleeps.', requestId: 'r1' });
  });

  it('cannot be brought back by a stale socket', async () => {
    connection.connect();
    await until(() => connection.status.owner);
    const [first] = opened;
    connection.reconnect();
    await until(() => opened.length === 2 && connection.status.phase === 'live');
    first?.socket.close(1000);
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(connection.status.phase).toBe('live');
  });

  it('after disconnect stays away', async () => {
    connection.connect();
    await until(() => connection.status.owner);
    connection.disconnect();
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(opened).toHaveLength(1);
    expect(connection.status.phase).toBe('idle');
  });
});

describe('a stream cut at random bytes', () => {
  const seed = Number(process.env['SAC_TEST_SEED'] ?? Math.floor(Math.random() * 2 ** 31));
  it('arrives whole and once', async () => {
    let random = seed;
    const next = (below: number): number => {
      random = (random * 1_103_515_245 + 12_345) % 2 ** 31;
      return random % below;
    };
    const stream = Buffer.from(
      Array.from({ length: 60_000 }, (_, index) => `${index} 日本 \x1b[3${index % 8}m`).join(''),
    );
    let cuts = 0;
    onHello = (socket, hello, raw) => {
      const from = hello.sac?.offset ?? 0;
      send(socket, sync(from, hello.sac?.stream === undefined ? 'snapshot' : 'resume'));
      const cutAfter = cuts < 100 ? 1 + next(30_000) : Infinity;
      // Below the WebSocket: the cut falls anywhere, in the middle of a frame too.
      const before = raw.bytesWritten;
      let at = from;
      const pump = (): void => {
        while (at < stream.length && raw.bytesWritten - before < cutAfter && raw.writableLength < 65_536) {
          const end = Math.min(stream.length, at + 1 + next(5_000));
          send(socket, { type: 'output', data: stream.subarray(at, end) });
          at = end;
        }
        if (raw.bytesWritten - before >= cutAfter) {
          cuts += 1;
          raw.destroy();
        } else if (at < stream.length) setImmediate(pump);
      };
      pump();
    };
    connection.connect();
    await until(() => {
      connection.nudge();
      return screen.bytes.length >= stream.length;
    }, 25_000);
    expect(screen.bytes.equals(stream), `seed ${seed}, ${cuts} cuts`).toBe(true);
    expect(cuts).toBeGreaterThan(20);
  });
});
