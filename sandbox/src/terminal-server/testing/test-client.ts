import { createSecretKey, randomUUID } from 'node:crypto';
import {
  decodeServerFrame,
  encodeClientFrame,
  INNER_AUDIENCE,
  splitInput,
  SUBPROTOCOL,
  type ClientMessage,
  type Hello,
  type InnerClaims,
  type ServerMessage,
  type StatePayload,
  type SyncPayload,
} from '@sac/contracts';
import jsonwebtoken from 'jsonwebtoken';
import WebSocket from 'ws';

export interface TokenOptions extends Partial<InnerClaims> {
  readonly key: string;
  readonly agentUid: string;
  readonly generation: number;
  readonly expiresInSeconds?: number;
  readonly audience?: string;
}

/** An inner token as the gateway makes it. */
export const mintToken = (options: TokenOptions): string => {
  const { key, expiresInSeconds = 30, audience = INNER_AUDIENCE, ...claims } = options;
  const full = { jti: randomUUID(), sub: 'user-1', userName: 'Ada', terminal: 'main', mode: 'control', ...claims };
  return jsonwebtoken.sign(full, createSecretKey(key, 'utf8'), {
    algorithm: 'HS256',
    expiresIn: expiresInSeconds,
    audience,
  });
};

export interface ConnectOptions {
  /** `ws://host:port/ws`, `ws+unix:/path:/ws`, or a ws-proxy's address with its ticket in the query. */
  readonly url: string;
  readonly token?: string;
  readonly origin?: string;
  readonly protocols?: readonly string[];
  /** Null: send nothing. Default: a control hello of 80x24 with the extension. */
  readonly hello?: Hello | null;
  /** Acknowledge output as soon as it arrived. Default true. */
  readonly acknowledges?: boolean;
}

export interface CloseInfo {
  readonly code: number;
  readonly reason: string;
}

const WAIT_MS = 20_000;
const RECENT_BYTES = 64 * 1024;

/** A viewer for tests and benches: speaks the whole protocol, keeps what it got, and can stop reading. */
export class TestClient {
  readonly socket: WebSocket;
  readonly opened: Promise<void>;
  readonly closed: Promise<CloseInfo>;
  readonly messages: Exclude<ServerMessage, { readonly type: 'output' | 'snapshot' }>[] = [];
  /** Counted output since the last sync. */
  output: Buffer[] = [];
  /** Snapshot bytes since the last sync. */
  snapshot: Buffer[] = [];
  sync: SyncPayload | null = null;
  state: StatePayload | null = null;
  title: string | null = null;
  closeInfo: CloseInfo | null = null;
  /** Why the connection failed, in the words of the library. */
  problem: string | null = null;
  /** Offset after the last byte received. */
  offset = 0;
  /** Called with every frame in order; a bench or an emulator hooks in here. */
  onMessage: (message: ServerMessage) => void = () => undefined;
  readonly #acknowledges: boolean;
  readonly #waiters = new Set<() => void>();

  constructor(options: ConnectOptions) {
    const headers = {
      ...(options.token === undefined ? {} : { authorization: `Bearer ${options.token}` }),
      ...(options.origin === undefined ? {} : { origin: options.origin }),
    };
    this.socket = new WebSocket(options.url, [...(options.protocols ?? [SUBPROTOCOL])], {
      headers,
      perMessageDeflate: false,
    });
    this.#acknowledges = options.acknowledges ?? true;
    this.socket.on('message', (data: Buffer) => this.#received(data));
    this.opened = new Promise((resolve, reject) => {
      this.socket.once('open', resolve);
      this.socket.once('error', reject);
    });
    this.socket.on('error', ({ message }) => (this.problem = message));
    this.opened.catch(() => undefined);
    this.closed = new Promise((resolve) => {
      this.socket.once('close', (code, reason) => {
        this.closeInfo = { code, reason: reason.toString() };
        this.#wake();
        resolve(this.closeInfo);
      });
    });
    const hello = options.hello === undefined ? TestClient.helloOf() : options.hello;
    this.socket.once('open', () => {
      if (hello !== null) this.send({ type: 'hello', hello });
    });
  }

  static helloOf(sac: Partial<NonNullable<Hello['sac']>> = {}, columns = 80, rows = 24): Hello {
    return { AuthToken: '', columns, rows, sac: { version: 1, mode: 'control', wantsOwnership: true, ...sac } };
  }

  /** Output and snapshot since the last sync as text. */
  get text(): string {
    return Buffer.concat([...this.snapshot, ...this.output]).toString();
  }

  /** The newest 64 KiB of that: looking for text in everything would make a flood quadratic. */
  get recentText(): string {
    const pieces: Buffer[] = [];
    let bytes = 0;
    for (const list of [this.output, this.snapshot]) {
      for (let index = list.length - 1; index >= 0 && bytes < RECENT_BYTES; index--) {
        const piece = list[index] ?? Buffer.alloc(0);
        pieces.push(piece);
        bytes += piece.length;
      }
    }
    return Buffer.concat(pieces.reverse()).toString();
  }

  send(message: ClientMessage): void {
    this.socket.send(encodeClientFrame(message));
  }

  type(text: string): void {
    for (const data of splitInput(Buffer.from(text))) this.send({ type: 'input', data });
  }

  /** Round trip of an echo frame in milliseconds. */
  async echo(): Promise<number> {
    const payload = Buffer.from(randomUUID().slice(0, 32));
    const start = performance.now();
    this.send({ type: 'echoRequest', payload });
    await this.until(
      () =>
        this.messages.some((message) => message.type === 'echoReply' && Buffer.from(message.payload).equals(payload)),
      'echo reply',
    );
    return performance.now() - start;
  }

  /** Waits until the condition holds, looking after every frame. @throws Error naming what did not happen */
  async until(condition: () => boolean, what = 'condition', timeoutMs = WAIT_MS): Promise<void> {
    const deadline = performance.now() + timeoutMs;
    while (!condition()) {
      const leftMs = deadline - performance.now();
      if (leftMs <= 0)
        throw new Error(
          `${what}: not within ${timeoutMs} ms; closed ${JSON.stringify(this.closeInfo)} (${this.problem ?? 'no error'}), last output ${JSON.stringify(this.recentText.slice(-300))}`,
        );
      await this.#change(Math.min(leftMs, 100));
    }
  }

  untilText(text: string | RegExp, timeoutMs = WAIT_MS): Promise<void> {
    return this.until(
      () => (typeof text === 'string' ? this.recentText.includes(text) : text.test(this.recentText)),
      `output ${text}`,
      timeoutMs,
    );
  }

  untilSync(): Promise<void> {
    return this.until(() => this.sync !== null, 'sync');
  }

  /** Stops reading from the socket, as a frozen page does. */
  freeze(): void {
    this.socket.pause();
  }

  thaw(): void {
    this.socket.resume();
  }

  /** Cuts the connection without a closing handshake. */
  cut(): void {
    this.socket.terminate();
  }

  #received(data: Buffer): void {
    const decoded = decodeServerFrame(data);
    if (!decoded.ok) throw new Error(`server sent a bad frame: ${decoded.error.message}`);
    const { message } = decoded;
    this.#keep(message);
    this.onMessage(message);
    this.#wake();
  }

  #keep(message: ServerMessage): void {
    switch (message.type) {
      case 'output':
        this.output.push(Buffer.from(message.data));
        this.offset += message.data.length;
        this.#acknowledge();
        return;
      case 'snapshot':
        this.snapshot.push(Buffer.from(message.data));
        this.#acknowledge();
        return;
      case 'sync':
        this.sync = message.sync;
        this.offset = message.sync.offset;
        this.output = [];
        this.snapshot = [];
        break;
      case 'state':
        this.state = message.state;
        break;
      case 'title':
        this.title = message.title;
        break;
      default:
        break;
    }
    this.messages.push(message);
  }

  #acknowledge(): void {
    if (this.#acknowledges && this.sync !== null && this.socket.readyState === WebSocket.OPEN)
      this.send({ type: 'acknowledge', offset: this.offset });
  }

  #wake(): void {
    for (const waiter of this.#waiters) waiter();
  }

  #change(timeoutMs: number): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        this.#waiters.delete(done);
        resolve();
      };
      const timer = setTimeout(done, timeoutMs);
      this.#waiters.add(done);
    });
  }
}
