import type { Hello, SyncPayload } from '@sac/contracts';

/**
 * Where this client is in the numbered stream of one PTY. `received` counts what was handed to the screen, whose
 * queue survives a reconnect; `processed` what the screen has parsed, which is what may be acknowledged.
 */
export class StreamPosition {
  #stream: string | null = null;
  #received = 0;
  #processed = 0;
  /** While a snapshot is awaited or some of its pieces are missing, this screen is not to be continued from. */
  #snapshot: 'complete' | 'awaited' | 'arriving' = 'complete';

  get stream(): string | null {
    return this.#stream;
  }

  get received(): number {
    return this.#received;
  }

  get processed(): number {
    return this.#processed;
  }

  /** What the hello asks for: the bytes after the last one, or (nothing said) a snapshot. */
  get resumeFrom(): Pick<NonNullable<Hello['sac']>, 'stream' | 'offset'> {
    return this.#stream === null || this.#snapshot !== 'complete'
      ? {}
      : { stream: this.#stream, offset: this.#received };
  }

  /** False when the server continues somewhere else than where this screen ends: the screen would be wrong. */
  sync(sync: SyncPayload): boolean {
    if (sync.kind === 'resume') {
      return sync.stream === this.#stream && sync.offset === this.#received && this.#snapshot === 'complete';
    }
    this.#stream = sync.stream;
    this.#received = sync.offset;
    this.#processed = sync.offset;
    this.#snapshot = 'awaited';
    return true;
  }

  /**
   * The type of a frame that came: pieces of a snapshot are sent without a gap, and output only follows the last. True:
   * this is the first frame behind the last piece.
   */
  note(frame: 'snapshot' | 'output' | 'other'): boolean {
    const arriving = this.#snapshot === 'arriving';
    if (frame === 'snapshot') this.#snapshot = 'arriving';
    else if (frame === 'output' || arriving) this.#snapshot = 'complete';
    return arriving && frame !== 'snapshot';
  }

  /** Counts bytes handed to the screen and returns the offset behind them. */
  receive(byteCount: number): number {
    this.#received += byteCount;
    return this.#received;
  }

  /** The screen has parsed everything before `offset` of `stream`; what belongs to an older stream is ignored. */
  process(stream: string | null, offset: number): void {
    if (stream === this.#stream && offset > this.#processed && offset <= this.#received) this.#processed = offset;
  }

  /** After this the next hello asks for a snapshot. */
  forget(): void {
    this.#stream = null;
  }
}
