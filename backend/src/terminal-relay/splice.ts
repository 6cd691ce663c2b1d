import type { Socket } from 'node:net';
import { EchoTimer } from './echo-timer.ts';
import { Flow, type FloodPacer, type PersonShare } from './flood-pacer.ts';
import type { RelayMetrics } from './metrics.ts';
import type { UpstreamLink } from './upstream.ts';

/** After one side ended, the other gets this long to take what is on its way. */
const LINGER_MS = 10_000;

const NOTHING = Buffer.alloc(0);
/** Node reads a socket without a buffer of its own in pieces of 64 KiB. */
const INPUT_SIZES = { small: 16 * 1024, full: 64 * 1024 };

export interface SpliceOptions {
  readonly client: Socket;
  readonly upstream: Pick<UpstreamLink, 'socket' | 'source' | 'sizes'>;
  readonly pacer: FloodPacer;
  readonly share: PersonShare;
  readonly metrics: RelayMetrics;
  readonly nowMs: () => number;
  /** Called once, when both sockets are closed. */
  readonly onClosed: () => void;
}

/**
 * Joins two TCP streams without looking at them. Each direction holds at most one read: the next one starts
 * when the kernel has taken the last. That is the whole of the back-pressure, from the browser to the PTY.
 */
export class Splice {
  readonly #options: SpliceOptions;
  readonly #output: Flow;
  readonly #input: Flow;
  readonly #echo: EchoTimer;
  #lastByteAtMs: number;
  /** When the client stopped taking bytes; null while nothing waits for it. */
  #stalledSinceMs: number | null = null;
  /** Bytes of the read that waits for its kernel, in either direction. */
  #waitingOutputBytes = 0;
  #waitingInputBytes = 0;
  #linger: NodeJS.Timeout | null = null;
  #openSockets = 2;

  constructor(options: SpliceOptions) {
    const { client, upstream, share, metrics } = options;
    this.#options = options;
    this.#lastByteAtMs = options.nowMs();
    this.#output = new Flow(share, upstream.sizes, () => upstream.socket.resume());
    this.#input = new Flow(share, INPUT_SIZES, () => client.resume());
    this.#echo = new EchoTimer(metrics.echo);
  }

  /**
   * The client's socket must not have been read from before. `clientHead`: bytes that came behind its request;
   * `response`: the head it gets; `rest`: bytes that came behind that.
   */
  start(clientHead: Buffer, { response, rest }: Pick<UpstreamLink, 'response' | 'rest'>): void {
    const { client, upstream } = this.#options;
    this.#join(client, upstream.socket);
    this.#join(upstream.socket, client);
    client.on('data', this.#onClientData);
    if (clientHead.length > 0) this.#onClientData(clientHead);
    client.write(response);
    upstream.source.reader = this.#onUpstreamChunk;
    if (rest.length > 0 && !this.#onUpstreamChunk(rest)) return;
    upstream.socket.resume();
  }

  idleForMs(nowMs: number): number {
    return nowMs - this.#lastByteAtMs;
  }

  stalledForMs(nowMs: number): number {
    return this.#stalledSinceMs === null ? 0 : nowMs - this.#stalledSinceMs;
  }

  /** Ends both directions as a TCP end; what is already written still arrives. */
  end(): void {
    const { client, upstream } = this.#options;
    client.end();
    upstream.socket.end();
    this.#startLinger();
  }

  destroy(): void {
    this.#options.client.destroy();
    this.#options.upstream.socket.destroy();
  }

  #onUpstreamChunk = (chunk: Uint8Array): boolean => {
    const { client, upstream, pacer, metrics, nowMs } = this.#options;
    // Ended by us: the rest is thrown away, so that the far end's close is seen.
    if (client.writableEnded || client.destroyed) return true;
    const atMs = nowMs();
    this.#lastByteAtMs = atMs;
    this.#echo.output(atMs);
    metrics.bytesToClient += chunk.byteLength;
    client.write(chunk);
    // Not all in the kernel: the write still needs this connection's only read buffer.
    if (client.writableLength > 0) {
      this.#stalledSinceMs = atMs;
      this.#waitingOutputBytes = chunk.byteLength;
      // Costs something only here, where a callback on every write would cost each of them a turn.
      client.write(NOTHING, this.#onClientTookAll);
      return false;
    }
    const mayReadOn = pacer.mayReadOn(this.#output, chunk.byteLength, atMs);
    upstream.source.buffer.adapt(this.#output.floods);
    return mayReadOn;
  };

  #onClientTookAll = (): void => {
    const { client, upstream, pacer, nowMs } = this.#options;
    if (client.destroyed) return;
    this.#stalledSinceMs = null;
    if (pacer.mayReadOn(this.#output, this.#waitingOutputBytes, nowMs())) upstream.socket.resume();
  };

  #onClientData = (chunk: Buffer): void => {
    const { client, upstream, pacer, metrics, nowMs } = this.#options;
    if (upstream.socket.writableEnded || upstream.socket.destroyed) return;
    const atMs = nowMs();
    this.#echo.input(atMs, this.#lastByteAtMs);
    this.#lastByteAtMs = atMs;
    metrics.bytesToUpstream += chunk.length;
    upstream.socket.write(chunk);
    if (upstream.socket.writableLength > 0) {
      this.#waitingInputBytes = chunk.length;
      client.pause();
      upstream.socket.write(NOTHING, this.#onUpstreamTookAll);
    } else if (!pacer.mayReadOn(this.#input, chunk.length, atMs)) client.pause();
  };

  #onUpstreamTookAll = (): void => {
    const { client, upstream, pacer, nowMs } = this.#options;
    if (upstream.socket.destroyed) return;
    if (pacer.mayReadOn(this.#input, this.#waitingInputBytes, nowMs())) client.resume();
  };

  /** The end, an error or the close of one side ends the other. */
  #join(one: Socket, other: Socket): void {
    one.on('end', () => {
      other.end();
      this.#startLinger();
    });
    one.on('error', () => other.destroy());
    one.on('close', () => {
      if (!other.writableEnded) other.end();
      this.#startLinger();
      this.#openSockets -= 1;
      if (this.#openSockets === 0) this.#closed();
    });
  }

  #startLinger(): void {
    this.#linger ??= setTimeout(() => this.destroy(), LINGER_MS);
  }

  #closed(): void {
    this.#options.upstream.source.buffer.adapt(false);
    if (this.#linger !== null) clearTimeout(this.#linger);
    this.#options.onClosed();
  }
}
