import type { ClientMessage, ServerMessage, Size } from '@sac/contracts';
import { Acknowledger } from './acknowledger.ts';
import { StreamPosition } from './stream-position.ts';

/** The screen as the stream sees it. All calls take effect in order, after what was written before. */
export interface ScreenSink {
  /** `done` is called when the bytes have been parsed. */
  write(data: Uint8Array, done: () => void): void;
  /** Empties screen, scrollback, modes and half-read sequences. */
  reset(size: Size | null): void;
  resize(size: Size): void;
}

/** The screen parses a piece without a pause; a large one would cost frames. */
const PIECE_BYTES = 16 * 1024;
const NOTHING = new Uint8Array();

export interface OutputFlowOptions {
  readonly screen: ScreenSink;
  readonly send: (message: ClientMessage) => void;
  /** The server goes on where this screen does not end; only a new connection with a snapshot helps. */
  readonly onDiverged: () => void;
}

/** Brings what the server sends onto the screen, keeps the place in the stream and acknowledges. */
export class OutputFlow {
  readonly #options: OutputFlowOptions;
  readonly #position = new StreamPosition();
  readonly #acknowledger: Acknowledger;
  #extended: boolean | null = null;
  /** Number of the connection or snapshot under way: what the screen still parses of earlier ones acknowledges nothing. */
  #begun = 0;

  constructor(options: OutputFlowOptions) {
    this.#options = options;
    this.#acknowledger = new Acknowledger((offset) => options.send({ type: 'acknowledge', offset }));
  }

  /** True: the server numbers its stream; false: a stock ttyd; null: not known yet on this connection. */
  get extended(): boolean | null {
    return this.#extended;
  }

  get position(): { readonly stream: string | null; readonly offset: number } {
    return { stream: this.#position.stream, offset: this.#position.processed };
  }

  get resumeFrom(): StreamPosition['resumeFrom'] {
    return this.#position.resumeFrom;
  }

  /** A new connection begins. */
  restart(): void {
    this.#extended = null;
    this.#begun += 1;
    this.#acknowledger.restart(this.#position.received);
  }

  /** The connection ended; what the screen still has to parse stays queued there. */
  stop(): void {
    this.#acknowledger.stop();
  }

  /** The next connection starts with a snapshot. */
  forget(): void {
    this.#position.forget();
  }

  handle(message: ServerMessage): void {
    const { screen } = this.#options;
    const { type } = message;
    if (this.#position.note(type === 'snapshot' || type === 'output' ? type : 'other')) this.#onSnapshotEnd();
    switch (message.type) {
      case 'sync':
        this.#onSync(message.sync);
        break;
      case 'snapshot':
        screen.write(message.data, () => undefined);
        break;
      case 'output':
        if (this.#extended === null) this.#startPlain();
        this.#onOutput(message.data);
        break;
      case 'state':
        screen.resize({ columns: message.state.columns, rows: message.state.rows });
        break;
      default:
    }
  }

  #onSync(sync: Extract<ServerMessage, { type: 'sync' }>['sync']): void {
    this.#extended = true;
    if (!this.#position.sync(sync)) {
      this.#position.forget();
      this.#options.onDiverged();
      return;
    }
    this.#begun += 1;
    this.#acknowledger.restart(sync.offset);
    const size = { columns: sync.columns, rows: sync.rows };
    if (sync.kind === 'snapshot') this.#options.screen.reset(size);
    else this.#options.screen.resize(size);
  }

  /**
   * A snapshot may be larger than what may be outstanding. The server sends it whole, and a state behind it, without waiting;
   * all of it is acknowledged with its end, when the screen has parsed the last piece.
   */
  #onSnapshotEnd(): void {
    const begun = this.#begun;
    const { received } = this.#position;
    this.#options.screen.write(NOTHING, () => {
      if (this.#begun === begun) this.#acknowledger.snapshotProcessed(received);
    });
  }

  #onOutput(data: Uint8Array): void {
    const { stream, received: start } = this.#position;
    this.#acknowledger.received(this.#position.receive(data.length));
    for (let from = 0; from < data.length; from += PIECE_BYTES) {
      const piece = data.subarray(from, from + PIECE_BYTES);
      this.#options.screen.write(piece, () => {
        this.#position.process(stream, start + from + piece.length);
        if (this.#extended === true) this.#acknowledger.processed(this.#position.processed);
      });
    }
  }

  /** A stock ttyd starts a new program for every connection and numbers nothing. */
  #startPlain(): void {
    this.#extended = false;
    this.#position.forget();
    this.#options.screen.reset(null);
  }
}
