import { connect, type Socket } from 'node:net';
import { setImmediate as nextTurn } from 'node:timers/promises';

/** One WebSocket frame as a client sends it; the mask is all zero, which is a valid mask. */
export const rawFrame = (firstByte: number, payload: Uint8Array): Buffer => {
  const { length } = payload;
  const head =
    length < 126 ? Buffer.of(firstByte, 0x80 | length) : Buffer.of(firstByte, 0x80 | 126, length >> 8, length & 0xff);
  return Buffer.concat([head, Buffer.alloc(4), payload]);
};

/** A viewer below the WebSocket: says exactly the bytes it is told to, and keeps what comes back. */
export class RawClient {
  readonly socket: Socket;
  readonly ended: Promise<void>;
  #received = Buffer.alloc(0);

  constructor(socketPath: string) {
    this.socket = connect(socketPath);
    this.socket.on('data', (chunk: Buffer) => (this.#received = Buffer.concat([this.#received, chunk])));
    this.socket.on('error', () => undefined);
    this.ended = new Promise((resolve) => this.socket.once('close', () => resolve()));
  }

  get text(): string {
    return this.#received.toString('latin1');
  }

  static handshake(token: string): string {
    return (
      'GET /ws HTTP/1.1\r\nHost: sandbox\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n' +
      'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: tty\r\n' +
      `Authorization: Bearer ${token}\r\n\r\n`
    );
  }

  /** Each byte alone in its own write. */
  async drip(bytes: Uint8Array): Promise<void> {
    this.socket.setNoDelay(true);
    for (const byte of bytes) {
      this.socket.write(Buffer.of(byte));
      await nextTurn();
    }
  }

  /** @throws Error with what came when the text does not come in time */
  async untilText(text: string, timeoutMs = 20_000): Promise<void> {
    const deadline = performance.now() + timeoutMs;
    while (!this.text.includes(text)) {
      if (performance.now() > deadline) throw new Error(`no ${text} in ${JSON.stringify(this.text.slice(-300))}`);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }
}
