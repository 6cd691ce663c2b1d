import {
  decodeServerFrame,
  encodeClientFrame,
  reconnectDelayMs,
  SUBPROTOCOL,
  type ServerMessage,
  type SyncPayload,
} from '@sac/contracts';
import type { ApiUser } from './api.ts';

const KEPT_CHARACTERS = 1024 * 1024;
const ACKNOWLEDGE_EVERY_BYTES = 64 * 1024;
const OPEN_TIMEOUT_MS = 20_000;
const POLL_MS = 25;

/** What the built-in client takes in Node, beyond what browsers know. */
type WebSocketInNode = new (
  url: string,
  options: { protocols: string[]; headers: Record<string, string> },
) => WebSocket;

export interface ViewerOptions {
  readonly origin: string;
  readonly user: ApiUser;
  readonly sessionId: string;
  /** Name of the terminal. */
  readonly name: string;
  readonly onOutput?: (text: string) => void;
}

/** Text without spaces and without what moves the cursor or chooses colours. */
const drawn = (text: string): string =>
  // eslint-disable-next-line no-control-regex -- escape sequences begin with a control character
  text.replaceAll(/\u001b(?:\[[0-9;?<>=]*[A-Za-z]|\][^\u0007\u001b]*(?:\u0007|\u001b\\)|[()][A-Z0-9]|.)|\s/g, '');

/** Opens a WebSocket as a page of `origin` would, or one of another site, `page`; rejects when it is refused. */
const openSocket = (origin: string, path: string, page = origin): Promise<WebSocket> =>
  new Promise((resolve, reject) => {
    const url = new URL(path, origin.replace(/^http/, 'ws')).href;
    const socket = new (WebSocket as unknown as WebSocketInNode)(url, {
      protocols: [SUBPROTOCOL],
      headers: { origin: page },
    });
    socket.binaryType = 'arraybuffer';
    const timer = setTimeout(() => socket.close(), OPEN_TIMEOUT_MS);
    socket.addEventListener('open', () => {
      clearTimeout(timer);
      resolve(socket);
    });
    socket.addEventListener('close', () => {
      clearTimeout(timer);
      reject(new Error(`no WebSocket at ${url.split('?', 1)[0] ?? ''}`));
    });
    socket.addEventListener('error', () => undefined);
  });

const hello = (known: { readonly stream?: string; readonly offset?: number }): Uint8Array<ArrayBuffer> =>
  encodeClientFrame({
    type: 'hello',
    hello: {
      AuthToken: '',
      columns: 120,
      rows: 36,
      sac: { version: 1, mode: 'control', wantsOwnership: false, ...known },
    },
  });

/** Whether a terminal shows anything to who comes with this address: ws-proxy refuses, or the terminal server hangs up. */
export const showsTerminal = async (origin: string, path: string, page = origin): Promise<boolean> => {
  const socket = await openSocket(origin, path, page).catch(() => null);
  if (socket === null) return false;
  const shown = new Promise<boolean>((resolve) => {
    socket.addEventListener('message', () => resolve(true));
    socket.addEventListener('close', () => resolve(false));
    setTimeout(() => resolve(false), OPEN_TIMEOUT_MS);
  });
  socket.send(hello({}));
  const answer = await shown;
  socket.close();
  return answer;
};

/** A terminal on a page, without the page: reconnects by itself as the page does, and takes exactly the missing bytes. */
export class Viewer {
  /** Of output, decoded; what is older than the last mebibyte is cut off. */
  text = '';
  /** Connections after the first. */
  reconnects = 0;
  /** Times when the server had to send a screen, because it no longer had the bytes. */
  snapshots = 0;
  longestGapMs = 0;
  readonly #options: ViewerOptions;
  readonly #decoder = new TextDecoder();
  #socket: WebSocket | null = null;
  #sync: SyncPayload | null = null;
  #offset = 0;
  #acknowledged = 0;
  #lastOutputMs: number | null = null;
  #closed = false;

  constructor(options: ViewerOptions) {
    this.#options = options;
  }

  get isOpen(): boolean {
    return this.#socket?.readyState === WebSocket.OPEN;
  }

  /** Resolves when connected for the first time. */
  async open(): Promise<this> {
    await this.#connect();
    return this;
  }

  type(text: string): void {
    this.#socket?.send(encodeClientFrame({ type: 'input', data: new TextEncoder().encode(text) }));
  }

  /** Starts the count of gaps anew. */
  resetGaps(): void {
    this.longestGapMs = 0;
    this.#lastOutputMs = performance.now();
  }

  /** Waits for words that a full-screen program draws: between them it moves the cursor instead of writing spaces. */
  async waitForWords(words: string, timeoutMs = 30_000): Promise<void> {
    const wanted = words.replaceAll(' ', '');
    await this.#until(() => drawn(this.text).includes(wanted), words, timeoutMs);
  }

  async waitFor(pattern: RegExp, timeoutMs = 30_000): Promise<void> {
    await this.#until(() => pattern.test(this.text), String(pattern), timeoutMs);
  }

  async #until(isThere: () => boolean, what: string, timeoutMs: number): Promise<void> {
    const deadlineMs = performance.now() + timeoutMs;
    for (;;) {
      if (isThere()) return;
      if (performance.now() > deadlineMs) {
        throw new Error(`${what} did not come; the end of what came:\n${this.text.slice(-800)}`);
      }
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
  }

  close(): void {
    this.#closed = true;
    this.#socket?.close();
  }

  async #connect(): Promise<void> {
    const { origin, user, sessionId, name } = this.#options;
    const ticket = await user.call('createTicket', { params: { sessionId, name }, body: { mode: 'control' } });
    const socket = await openSocket(origin, ticket.url);
    this.#socket = socket;
    socket.addEventListener('message', ({ data }) => this.#received(new Uint8Array(data as ArrayBuffer)));
    socket.addEventListener('close', () => void this.#reconnect());
    const known = this.#sync === null ? {} : { stream: this.#sync.stream, offset: this.#offset };
    socket.send(hello(known));
  }

  async #reconnect(): Promise<void> {
    this.#socket = null;
    for (let attempt = 1; !this.#closed; attempt += 1) {
      await new Promise((resolve) => setTimeout(resolve, reconnectDelayMs(attempt, Math.random())));
      if (this.#closed) return;
      try {
        await this.#connect();
        this.reconnects += 1;
        return;
      } catch {
        // The next attempt comes; who waits for text gives up by itself.
      }
    }
  }

  #received(frame: Uint8Array): void {
    const decoded = decodeServerFrame(frame);
    if (!decoded.ok) throw new Error(decoded.error.message);
    this.#take(decoded.message);
  }

  #take(message: ServerMessage): void {
    if (message.type === 'sync') {
      if (this.#sync !== null && message.sync.kind === 'snapshot') this.snapshots += 1;
      this.#sync = message.sync;
      this.#offset = message.sync.offset;
    } else if (message.type === 'snapshot') this.#append(message.data);
    else if (message.type === 'output') {
      this.#offset += message.data.length;
      this.#append(message.data);
      this.#acknowledge();
    }
  }

  #append(data: Uint8Array): void {
    const nowMs = performance.now();
    if (this.#lastOutputMs !== null) this.longestGapMs = Math.max(this.longestGapMs, nowMs - this.#lastOutputMs);
    this.#lastOutputMs = nowMs;
    const text = this.#decoder.decode(data, { stream: true });
    this.text = (this.text + text).slice(-KEPT_CHARACTERS);
    this.#options.onOutput?.(text);
  }

  #acknowledge(): void {
    if (this.#offset - this.#acknowledged < ACKNOWLEDGE_EVERY_BYTES) return;
    this.#acknowledged = this.#offset;
    this.#socket?.send(encodeClientFrame({ type: 'acknowledge', offset: this.#offset }));
  }
}
