import { connect, type Socket } from 'node:net';
import { clientFrame, serverFrame, SUBPROTOCOL } from '@sac/contracts';
import { frameOf, FrameReader, pongOf } from './frame-reader.ts';

/** How to reach a terminal: directly, through ws-proxy or through the plain relay. */
export interface Route {
  readonly port: number;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
}

export interface ClientOptions {
  readonly route: Route;
  /** Goes into the hello; the scripted terminal server takes it as its script. */
  readonly authToken?: string;
  /** Speak the extension and acknowledge output, as our page does; off: as a stock ttyd page. */
  readonly extension?: boolean;
  readonly onOutput: (piece: Uint8Array) => void;
  readonly onClose?: () => void;
}

const ACKNOWLEDGE_EVERY_BYTES = 64 * 1024;
const OPEN_TIMEOUT_MS = 20_000;
/** Shared by all clients of the process: bytes are used up within the call that brings them. */
const readBuffer = Buffer.allocUnsafeSlow(256 * 1024);
const EMPTY = Buffer.alloc(0);

/** A viewer that costs as little as possible: one read buffer for all, frames looked at in place. */
export class TerminalClient {
  readonly socket: Socket;
  readonly opened: Promise<void>;
  outputBytes = 0;
  readonly #options: ClientOptions;
  readonly #reader: FrameReader;
  #opened = Promise.withResolvers<void>();
  #head: Buffer | null = EMPTY;
  #acknowledgedBytes = 0;
  #syncOffset: number | null = null;
  #syncText = '';

  constructor(options: ClientOptions) {
    this.#options = options;
    this.opened = this.#opened.promise;
    this.#reader = new FrameReader({
      onPayload: (type, piece) => this.#payload(type, piece),
      onFrameEnd: (type) => this.#frameEnd(type),
      onPing: (payload) => this.socket.write(pongOf(payload, true)),
      onClose: () => this.socket.end(),
    });
    const timer = setTimeout(() => this.#fail(new Error(`not open within ${OPEN_TIMEOUT_MS} ms`)), OPEN_TIMEOUT_MS);
    this.opened.then(
      () => clearTimeout(timer),
      () => clearTimeout(timer),
    );
    this.socket = connect({
      host: '127.0.0.1',
      port: options.route.port,
      noDelay: true,
      onread: { buffer: readBuffer, callback: (byteCount) => this.#received(readBuffer.subarray(0, byteCount)) },
    });
    this.socket.once('error', (error) => this.#fail(error));
    this.socket.once('close', () => {
      this.#fail(new Error('closed before it was open'));
      options.onClose?.();
    });
    this.socket.write(this.#request());
  }

  /** Types; the text must fit one frame. */
  type(text: string): void {
    this.#send(clientFrame.input, text);
  }

  close(): void {
    this.socket.destroy();
  }

  #request(): string {
    const { route } = this.#options;
    const headers = Object.entries(route.headers).map(([name, value]) => `${name}: ${value}\r\n`);
    return (
      `GET ${route.path} HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
      `Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n` +
      `Sec-WebSocket-Protocol: ${SUBPROTOCOL}\r\n${headers.join('')}\r\n`
    );
  }

  #received(chunk: Buffer): boolean {
    if (this.#head === null) this.#reader.push(chunk);
    else this.#receivedHead(chunk);
    this.#acknowledge();
    return true;
  }

  #receivedHead(chunk: Buffer): void {
    this.#head = Buffer.concat([this.#head ?? EMPTY, chunk]);
    const end = this.#head.indexOf('\r\n\r\n');
    if (end === -1) return;
    const text = this.#head.toString('latin1', 0, end);
    const rest = this.#head.subarray(end + 4);
    this.#head = null;
    if (!text.startsWith('HTTP/1.1 101 ')) {
      this.#fail(new Error(`refused: ${text.split('\r\n', 1)[0]} ${rest.toString('utf8').slice(0, 200)}`));
      return;
    }
    const { authToken = '', extension = false } = this.#options;
    const sac = extension ? { sac: { version: 1, mode: 'control', wantsOwnership: true } } : {};
    this.socket.write(
      frameOf(Buffer.from(JSON.stringify({ AuthToken: authToken, columns: 120, rows: 36, ...sac })), { masked: true }),
    );
    this.#opened.resolve();
    this.#reader.push(rest);
  }

  #payload(type: number, piece: Uint8Array): void {
    if (type === serverFrame.output) {
      this.outputBytes += piece.length;
      this.#options.onOutput(piece);
    } else if (type === serverFrame.sync) this.#syncText += Buffer.from(piece).toString('utf8');
  }

  #frameEnd(type: number): void {
    if (type !== serverFrame.sync) return;
    this.#syncOffset = (JSON.parse(this.#syncText) as { offset: number }).offset - this.outputBytes;
    this.#syncText = '';
  }

  #acknowledge(): void {
    if (this.#syncOffset === null || this.outputBytes - this.#acknowledgedBytes < ACKNOWLEDGE_EVERY_BYTES) return;
    this.#acknowledgedBytes = this.outputBytes;
    this.#send(clientFrame.acknowledge, String(this.#syncOffset + this.outputBytes));
  }

  #send(type: number, text: string): void {
    this.socket.write(frameOf(Buffer.concat([Buffer.of(type), Buffer.from(text)]), { masked: true }));
  }

  #fail(error: Error): void {
    this.#opened.reject(error);
    this.#opened.promise.catch(() => undefined);
    if (!this.socket.destroyed) this.socket.destroy();
  }
}
