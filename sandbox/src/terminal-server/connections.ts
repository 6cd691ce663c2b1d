import {
  closeCodes,
  decodeClientFrame,
  SUBPROTOCOL,
  type ClientMessage,
  type Hello,
  type InnerClaims,
} from '@sac/contracts';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import websocket, { type WebSocket } from '@fastify/websocket';
import { bounds } from './constants.ts';
import type { InnerTokens } from './inner-token.ts';
import { RecordReader } from './recording/record-reader.ts';
import type { Records } from './recording/records.ts';
import type { Terminal } from './terminal.ts';
import type { Terminals } from './terminals.ts';
import type { Viewer, ViewerLink } from './viewer.ts';

const MAX_REASON_BYTES = 120;
/** A close reason may hold 123 bytes of UTF-8. */
const reasonOf = (text: string): string => {
  const bytes = Buffer.from(text);
  return bytes.length <= MAX_REASON_BYTES ? text : bytes.toString('utf8', 0, MAX_REASON_BYTES).replace(/\uFFFD+$/, '');
};

const offersProtocol = (request: FastifyRequest): boolean =>
  (request.headers['sec-websocket-protocol'] ?? '').split(',').some((name) => name.trim() === SUBPROTOCOL);

interface Attached {
  readonly terminal: Terminal;
  readonly viewer: Viewer;
}

export interface ConnectionParts {
  readonly terminals: Terminals;
  /** Null: this sandbox keeps no record. */
  readonly records: Records | null;
  readonly tokens: InnerTokens;
}

/** One WebSocket: waits for the hello, then passes frames between the socket and a terminal. */
class Connection implements ViewerLink {
  readonly #socket: WebSocket;
  readonly #parts: ConnectionParts;
  readonly #claims: InnerClaims;
  readonly #helloTimer: NodeJS.Timeout;
  #attached: Attached | null = null;
  #reader: RecordReader | null = null;
  #violations = 0;
  #lastSeenMs = performance.now();
  #inputPaused = false;

  constructor(socket: WebSocket, parts: ConnectionParts, claims: InnerClaims) {
    this.#socket = socket;
    this.#parts = parts;
    this.#claims = claims;
    this.#helloTimer = setTimeout(
      () => this.close(closeCodes.refused, `no hello within ${bounds.helloTimeoutMs} ms`),
      bounds.helloTimeoutMs,
    );
    socket.on('message', (data: Buffer, isBinary: boolean) => this.#received(data, isBinary));
    socket.on('pong', () => (this.#lastSeenMs = performance.now()));
    socket.on('close', () => this.#closed());
  }

  get bufferedBytes(): number {
    return this.#socket.bufferedAmount;
  }

  send(frame: Uint8Array): void {
    if (this.#socket.readyState === this.#socket.OPEN) this.#socket.send(frame, this.#sent);
  }

  /** The viewer leaves at once; the closing handshake may take as long as the client likes. */
  close(code: number, reason: string): void {
    this.#socket.close(code, reasonOf(reason));
    this.#closed();
  }

  pauseInput(): void {
    this.#inputPaused = true;
    this.#socket.pause();
  }

  resumeInput(): void {
    this.#inputPaused = false;
    this.#lastSeenMs = performance.now();
    this.#socket.resume();
  }

  /** Half-open connections are found here; one whose input we hold back cannot answer, and is not blamed. */
  heartbeat(): void {
    if (this.#inputPaused) return;
    if (performance.now() - this.#lastSeenMs > bounds.pongTimeoutMs) this.#socket.terminate();
    else this.#socket.ping();
  }

  readonly #sent = (): void => {
    if (this.#socket.bufferedAmount > 0) return;
    this.#attached?.terminal.drained(this.#attached.viewer);
    this.#reader?.drained();
  };

  #received(data: Buffer, isBinary: boolean): void {
    this.#lastSeenMs = performance.now();
    if (this.#socket.readyState !== this.#socket.OPEN) return;
    if (!isBinary) {
      this.close(closeCodes.refused, 'text frame: all frames are binary');
      return;
    }
    const decoded = decodeClientFrame(data);
    if (!decoded.ok) this.#refused(decoded.error.code, decoded.error.message);
    else if (this.#attached !== null) this.#pass(this.#attached, decoded.message);
    else if (this.#reader !== null) this.#read(this.#reader, decoded.message);
    else if (decoded.message.type === 'hello') this.#attach(decoded.message.hello);
    else this.close(closeCodes.refused, `${decoded.message.type} before the hello`);
  }

  #pass({ terminal, viewer }: Attached, message: ClientMessage): void {
    const problem = terminal.receive(viewer, message);
    if (problem !== null) this.#violation(problem);
  }

  #read(reader: RecordReader, message: ClientMessage): void {
    const problem =
      message.type === 'recordingRequest'
        ? reader.ask(message.request)
        : `${message.type}: this connection only reads a recording`;
    if (problem !== null) this.#violation(problem);
  }

  #refused(code: string, message: string): void {
    if (code === 'too_long') this.close(closeCodes.frameTooBig, message);
    else if (this.#attached === null && this.#reader === null) this.close(closeCodes.refused, message);
    else this.#violation(message);
  }

  /** Small mistakes are let pass, as ttyd does; a client that makes them all the time is told and closed. */
  #violation(message: string): void {
    this.#violations++;
    if (this.#violations > bounds.toleratedViolations) this.close(closeCodes.refused, message);
  }

  #attach(hello: Hello): void {
    clearTimeout(this.#helloTimer);
    if (hello.sac?.recording === true) {
      // The record outlives its terminal, so none has to be there.
      this.#reader = new RecordReader(this, this.#parts.records, this.#claims.terminal);
      return;
    }
    const terminal = this.#parts.terminals.find(this.#claims.terminal);
    if (terminal === null) {
      this.close(closeCodes.gone, `there is no terminal ${this.#claims.terminal}`);
    } else if (terminal.viewerCount >= bounds.viewersPerTerminal) {
      this.close(closeCodes.tryLater, `${terminal.viewerCount} viewers, the limit is ${bounds.viewersPerTerminal}`);
    } else {
      const { sub, userName, mode } = this.#claims;
      const viewer = terminal.attach(this, { userId: sub, userName, mode }, hello);
      this.#attached = { terminal, viewer };
      // Who comes back after the end, with nothing to catch up on, is told and closed within `attach` already.
      if (viewer.phase === 'ended') this.#closed();
      else terminal.drained(viewer);
    }
  }

  #closed(): void {
    clearTimeout(this.#helloTimer);
    const attached = this.#attached;
    this.#attached = null;
    attached?.terminal.detach(attached.viewer);
  }
}

/** Serves `/ws` to whoever holds an inner token. */
export const registerConnections = async (app: FastifyInstance, parts: ConnectionParts): Promise<void> => {
  const connections = new Set<Connection>();
  await app.register(websocket, {
    options: {
      maxPayload: bounds.inputFrameBytes + 1,
      perMessageDeflate: false,
      handleProtocols: () => SUBPROTOCOL,
      clientTracking: true,
    },
    errorHandler: (_error, socket) => socket.terminate(),
  });
  const heartbeat = setInterval(() => {
    for (const connection of connections) connection.heartbeat();
  }, bounds.pingIntervalMs);
  app.addHook('onClose', async () => clearInterval(heartbeat));
  app.addHook('preValidation', async (request, reply) => {
    if (!request.ws) return;
    if (!offersProtocol(request)) {
      await reply.code(400).send({
        code: 'invalid_request',
        message: `the WebSocket subprotocol ${SUBPROTOCOL} is needed`,
        requestId: request.id,
      });
    } else if (connections.size >= bounds.connections) {
      await reply.code(503).send({
        code: 'unavailable',
        message: `${connections.size} connections, the limit is ${bounds.connections}`,
        requestId: request.id,
      });
    }
  });
  app.get('/ws', { websocket: true }, (socket, request) => {
    // Without a listener an error of the protocol (a frame too big, a compressed one) would end the process.
    socket.on('error', () => undefined);
    const token = parts.tokens.redeem(request.headers.authorization);
    if (!token.ok) {
      socket.close(token.closeCode, reasonOf(token.reason));
      return;
    }
    const connection = new Connection(socket, parts, token.claims);
    connections.add(connection);
    socket.on('close', () => connections.delete(connection));
  });
};
