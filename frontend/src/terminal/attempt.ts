import { TerminalSocket, type TerminalSocketEvents } from './socket.ts';

/** A ticket and the first frame behind it, together. */
const OPEN_TIMEOUT_MS = 15_000;

export interface AttemptOptions {
  /** Address of a WebSocket with a fresh ticket. */
  readonly requestTicket: (signal: AbortSignal) => Promise<string>;
  readonly onTicketFailure: (error: unknown) => void;
  readonly onTimeout: () => void;
  readonly socket: TerminalSocketEvents;
}

/** One try to be connected and the socket it became. After `end` nothing of it is heard any more. */
export class Attempt {
  readonly #abort = new AbortController();
  readonly #timeout: ReturnType<typeof setTimeout>;
  #socket: TerminalSocket | null = null;

  constructor(options: AttemptOptions) {
    this.#timeout = setTimeout(options.onTimeout, OPEN_TIMEOUT_MS);
    options.requestTicket(this.#abort.signal).then(
      (url) => {
        if (!this.#abort.signal.aborted) this.#socket = new TerminalSocket(url, options.socket);
      },
      (error: unknown) => {
        if (!this.#abort.signal.aborted) options.onTicketFailure(error);
      },
    );
  }

  /** The server has begun to send: from here on the heartbeat watches. */
  succeeded(): void {
    clearTimeout(this.#timeout);
  }

  /** False when it was not sent. */
  send(frame: Uint8Array<ArrayBuffer>): boolean {
    return this.#socket?.send(frame) ?? false;
  }

  end(): void {
    clearTimeout(this.#timeout);
    this.#abort.abort();
    this.#socket?.close();
  }
}
