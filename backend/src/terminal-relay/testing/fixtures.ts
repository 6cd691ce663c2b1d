import { createSecretKey, randomBytes, randomUUID, type KeyObject } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { once } from 'node:events';
import { createServer as createHttpServer, type IncomingMessage } from 'node:http';
import { connect, type AddressInfo, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { TICKET_AUDIENCE, TICKET_TTL_SECONDS, type TicketClaims, type Upstream } from '@sac/contracts';
import jwt from 'jsonwebtoken';
import { pino } from 'pino';
import { WebSocket, WebSocketServer } from 'ws';
import { clientAddressBehind } from '../client-address.ts';
import { createListener, LISTEN_BACKLOG } from '../listener.ts';
import { encodeTicketKeys, type RelayConfig } from '../messages.ts';
import { Relay } from '../relay.ts';

export const ORIGIN = 'https://sac.example.org';
export const KEY = { kid: 'k1', key: createSecretKey(randomBytes(32)) };
export const SESSION = '42';

/** Everything a test opened; closed in the reverse order. */
export class Cleanup {
  readonly #steps: (() => unknown)[] = [];
  add(step: () => unknown): void {
    this.#steps.push(step);
  }
  async run(): Promise<void> {
    for (const step of this.#steps.splice(0).reverse()) await step();
  }
}

export const shortDir = async (cleanup: Cleanup): Promise<string> => {
  const dir = await mkdtemp(join(tmpdir(), 'relay-'));
  cleanup.add(() => rm(dir, { recursive: true, force: true }));
  return dir;
};

export interface TicketOptions {
  readonly upstream: Upstream;
  readonly claims?: Partial<TicketClaims>;
  readonly sign?: jwt.SignOptions;
  readonly key?: { kid: string; key: KeyObject };
}

export const ticketFor = ({ upstream, claims, sign, key = KEY }: TicketOptions): string => {
  const body: TicketClaims = {
    jti: randomUUID(),
    sub: '7',
    session: SESSION,
    authSession: '11',
    agentUid: randomUUID(),
    generation: 1,
    terminal: 'main',
    mode: 'control',
    upstream,
    inner: 'inner.token.value',
    ...claims,
  };
  return jwt.sign(body, key.key, {
    algorithm: 'HS256',
    keyid: key.kid,
    audience: TICKET_AUDIENCE,
    expiresIn: TICKET_TTL_SECONDS,
    ...sign,
  });
};

/** A terminal server made of `ws`: real frames, and the requests it saw. */
export interface FarEnd {
  readonly upstream: Upstream;
  readonly requests: IncomingMessage[];
  readonly server: Server;
  readonly webSockets: WebSocketServer;
  /** Next accepted WebSocket. */
  accepted(): Promise<WebSocket>;
}

export const startFarEnd = async (cleanup: Cleanup, path?: string): Promise<FarEnd> => {
  const requests: IncomingMessage[] = [];
  const server = createHttpServer((_request, response) => response.writeHead(418).end('no'));
  const webSockets = new WebSocketServer({ server, handleProtocols: () => 'tty', perMessageDeflate: true });
  server.on('upgrade', (request) => requests.push(request));
  if (path === undefined) server.listen(0, '127.0.0.1');
  else server.listen(path);
  await once(server, 'listening');
  cleanup.add(() => {
    for (const client of webSockets.clients) client.terminate();
    server.closeAllConnections();
    server.close();
  });
  const upstream: Upstream =
    path === undefined
      ? { kind: 'tcp', host: '127.0.0.1', port: (server.address() as AddressInfo).port, fallbackHost: null }
      : { kind: 'unix', path };
  const accepted = async (): Promise<WebSocket> => {
    const [webSocket] = (await once(webSockets, 'connection')) as [WebSocket];
    return webSocket;
  };
  return { upstream, requests, server, webSockets, accepted };
};

export interface Proxy {
  readonly relay: Relay;
  readonly port: number;
  readonly server: Server;
  readonly logLines: string[];
}

export const startProxy = async (
  cleanup: Cleanup,
  config: Partial<RelayConfig> = {},
  handshakeTimeoutMs?: number,
): Promise<Proxy> => {
  const logLines: string[] = [];
  const logger = pino({ level: 'debug' }, { write: (line: string) => void logLines.push(line) });
  const relay = new Relay(
    {
      ticketKeys: encodeTicketKeys([KEY]),
      allowedOrigins: [ORIGIN],
      upstream: { unixDirectory: null, tcp: true },
      ...config,
    },
    logger,
  );
  const server = createListener(
    { relay, clientAddress: clientAddressBehind([]), isReady: () => true, metricsText: async () => relay.metricsText },
    handshakeTimeoutMs,
  );
  server.listen({ port: 0, host: '127.0.0.1', backlog: LISTEN_BACKLOG });
  await once(server, 'listening');
  cleanup.add(() => {
    relay.destroy();
    server.closeAllConnections();
    server.close();
  });
  return { relay, port: (server.address() as AddressInfo).port, server, logLines };
};

export interface OpenOptions {
  readonly ticket: string;
  readonly session?: string;
  readonly origin?: string | null;
  readonly headers?: Record<string, string>;
}

const clientFor = (
  port: number,
  { ticket, session = SESSION, origin = ORIGIN, headers = {} }: OpenOptions,
): WebSocket =>
  new WebSocket(`ws://127.0.0.1:${port}/ws/${session}?token=${ticket}`, ['tty'], {
    ...(origin === null ? {} : { origin }),
    headers,
  });

/** An open client; rejects when it is refused. */
export const openClient = async (cleanup: Cleanup, port: number, options: OpenOptions): Promise<WebSocket> => {
  const client = clientFor(port, options);
  cleanup.add(() => client.terminate());
  await once(client, 'open');
  return client;
};

export interface RefusedAnswer {
  readonly status: number;
  readonly code: unknown;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

/** The answer to a handshake that must be refused. */
export const refusedClient = async (port: number, options: OpenOptions): Promise<RefusedAnswer> => {
  const client = clientFor(port, options);
  client.on('error', () => undefined);
  const outcome = await Promise.race([
    once(client, 'unexpected-response').then(([, response]) => response as IncomingMessage),
    once(client, 'open').then(() => null),
  ]);
  if (outcome === null) {
    client.terminate();
    throw new Error('the handshake was accepted');
  }
  let body = '';
  for await (const chunk of outcome) body += String(chunk);
  return {
    status: outcome.statusCode ?? 0,
    code: (JSON.parse(body) as { code?: unknown }).code,
    headers: outcome.headers,
    body,
  };
};

/** Sends raw bytes and returns everything that comes back until the end. */
export const rawRequest = async (port: number, bytes: string | Buffer, timeoutMs = 20_000): Promise<string> => {
  const socket: Socket = connect(port, '127.0.0.1');
  let answer = '';
  socket.on('data', (chunk: Buffer) => (answer += chunk.toString('latin1')));
  socket.on('error', () => undefined);
  socket.write(bytes);
  const timer = setTimeout(() => socket.destroy(new Error('no end')), timeoutMs);
  await once(socket, 'close').catch(() => undefined);
  clearTimeout(timer);
  return answer;
};

export const waitUntil = async (condition: () => boolean | Promise<boolean>, timeoutMs = 20_000): Promise<void> => {
  const end = performance.now() + timeoutMs;
  while (!(await condition())) {
    if (performance.now() > end) throw new Error('the condition was not met in time');
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
};
