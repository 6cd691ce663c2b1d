import { decodeServerFrame, SUBPROTOCOL, type FrameError, type ServerMessage } from '@sac/contracts';

export interface TerminalSocketEvents {
  readonly onOpen: () => void;
  readonly onMessage: (message: ServerMessage) => void;
  /** A frame that is not in the protocol; the connection goes on until somebody closes it. */
  readonly onBadFrame: (error: FrameError) => void;
  readonly onClose: (code: number, reason: string) => void;
}

/** Client codes 3000–4999 may be sent; this one only has to differ from what a server says. */
const CLOSED_BY_PAGE = 4900;
/** More than this waiting in the browser means that the line is far slower than what is typed into it. */
const MAX_BUFFERED_BYTES = 4 * 1024 * 1024;

/** One WebSocket, decoded. After `close` nothing of it is heard any more, whatever still arrives. */
export class TerminalSocket {
  readonly #socket: WebSocket;
  #events: TerminalSocketEvents | null;

  constructor(url: string, events: TerminalSocketEvents) {
    this.#events = events;
    this.#socket = new WebSocket(url, [SUBPROTOCOL]);
    this.#socket.binaryType = 'arraybuffer';
    this.#socket.addEventListener('open', () => this.#events?.onOpen());
    this.#socket.addEventListener('message', (event: MessageEvent<unknown>) => this.#onMessage(event.data));
    this.#socket.addEventListener('close', (event) => {
      const { onClose } = this.#events ?? {};
      this.#events = null;
      onClose?.(event.code, event.reason);
    });
  }

  /** False when it was not sent: not open, or far too much is waiting already. */
  send(frame: Uint8Array<ArrayBuffer>): boolean {
    if (this.#socket.readyState !== WebSocket.OPEN || this.#socket.bufferedAmount > MAX_BUFFERED_BYTES) return false;
    this.#socket.send(frame);
    return true;
  }

  close(): void {
    this.#events = null;
    this.#socket.close(CLOSED_BY_PAGE);
  }

  #onMessage(data: unknown): void {
    if (!(data instanceof ArrayBuffer)) {
      this.#events?.onBadFrame({ code: 'malformed', message: 'a text frame' });
      return;
    }
    const decoded = decodeServerFrame(new Uint8Array(data));
    if (decoded.ok) this.#events?.onMessage(decoded.message);
    // A newer server may know more frames; what must be understood is agreed in the hello.
    else if (decoded.error.code !== 'unknown_type') this.#events?.onBadFrame(decoded.error);
  }
}
