import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import type { ClientAddress } from './client-address.ts';
import { pathOf } from './handshake.ts';
import { refuse, type Refusal } from '../lib/refusal.ts';
import type { Relay } from './relay.ts';

const HANDSHAKE_TIMEOUT_MS = 10_000;
/** How often silent clients are looked for. */
const CHECK_INTERVAL_MS = 1_000;
/** Sockets besides the terminals: handshakes, probes, and clients that have not said anything yet. */
const MAX_OTHER_SOCKETS = 6_000;
/** A burst of returning clients waits in the kernel instead of being sent away. */
export const LISTEN_BACKLOG = 4_096;
const MAX_HEADER_BYTES = 16_384;

const malformed: Refusal = {
  code: 'invalid_request',
  message: 'This is not a complete HTTP/1.1 request with at most 16 KiB of headers.',
};
const notHere: Refusal = {
  code: 'not_found',
  message: 'There is nothing at this address; terminals are WebSockets at /ws/:sessionId.',
};

/** `remoteAddress` of a handshake that arrived on a server of this process. */
const toUpgradeRequest = (request: IncomingMessage, clientAddress: ClientAddress) => {
  const forwardedFor = request.headers['x-forwarded-for'];
  return {
    method: request.method ?? '',
    url: request.url ?? '',
    httpVersion: request.httpVersion,
    rawHeaders: request.rawHeaders,
    remoteAddress: clientAddress(
      request.socket.remoteAddress ?? '',
      Array.isArray(forwardedFor) ? forwardedFor.join(',') : forwardedFor,
    ),
  };
};

const answer = (response: ServerResponse, status: number, type: string, body: string): void => {
  response.writeHead(status, {
    'Content-Type': type,
    'Cache-Control': 'no-store',
    'Content-Length': Buffer.byteLength(body),
  });
  response.end(body);
};

/** A stand-alone proxy as the listener sees it. */
export interface Listened {
  readonly relay: Relay;
  readonly clientAddress: ClientAddress;
  /** False before the relay itself refuses anything: whoever sends clients here is to stop first. */
  readonly isReady: () => boolean;
  readonly metricsText: () => Promise<string>;
}

const serveRequest = (listened: Listened, request: IncomingMessage, response: ServerResponse): void => {
  const isReady = listened.relay.accepting && listened.isReady();
  const path = request.method === 'GET' ? pathOf(request.url ?? '') : null;
  if (path === '/health/live') answer(response, 200, 'application/json', '{"status":"ok"}');
  else if (path === '/health/ready')
    answer(response, isReady ? 200 : 503, 'application/json', `{"status":"${isReady ? 'ok' : 'unavailable'}"}`);
  else if (path === '/metrics')
    listened.metricsText().then(
      (text) => answer(response, 200, 'text/plain; version=0.0.4', text),
      () => answer(response, 500, 'text/plain', ''),
    );
  else refuse(request.socket, notHere);
};

/**
 * HTTP server of a stand-alone ws-proxy: upgrades go to the relay; besides that only health and metrics. Not
 * listening yet. It is shared with nobody: a WebSocket framework on the same server would answer foreign upgrades.
 */
export const createListener = (listened: Listened, handshakeTimeoutMs: number = HANDSHAKE_TIMEOUT_MS): Server => {
  const { relay, clientAddress } = listened;
  const server = createServer(
    {
      maxHeaderSize: MAX_HEADER_BYTES,
      headersTimeout: handshakeTimeoutMs,
      requestTimeout: handshakeTimeoutMs,
      keepAliveTimeout: handshakeTimeoutMs,
      connectionsCheckingInterval: CHECK_INTERVAL_MS,
      noDelay: true,
    },
    (request, response) => serveRequest(listened, request, response),
  );
  server.maxConnections = relay.maxConnections + MAX_OTHER_SOCKETS;
  server.on('upgrade', (request, socket, head) => {
    if (socket instanceof Socket) relay.handleUpgrade(toUpgradeRequest(request, clientAddress), socket, head);
    else socket.destroy();
  });
  server.on('clientError', (_error, socket) => {
    if (socket.writable) refuse(socket, malformed);
    else socket.destroy();
  });
  return server;
};
