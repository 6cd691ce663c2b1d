import { encodeServerFrame, type RecordingInfo, type RecordingRequest } from '@sac/contracts';
import type { Records } from './records.ts';
import { SegmentMissing } from './record-store.ts';

/** What a reader needs of its connection. */
export interface ReaderLink {
  send(frame: Uint8Array): void;
  /** Bytes given to `send` that the kernel has not taken yet. */
  readonly bufferedBytes: number;
}

/**
 * Answers the questions of one connection about the record of one terminal. One question at a time and one
 * more in hand; none is answered before the answer to the last has left, so a client that does not read costs
 * no memory.
 */
export class RecordReader {
  readonly #link: ReaderLink;
  readonly #records: Records | null;
  readonly #terminal: string;
  #isAnswering = false;
  #next: RecordingRequest | null = null;

  /** `records` null: nothing is recorded in this sandbox. */
  constructor(link: ReaderLink, records: Records | null, terminal: string) {
    this.#link = link;
    this.#records = records;
    this.#terminal = terminal;
  }

  /** @returns what was wrong, for the client; null when it was fine */
  ask(request: RecordingRequest): string | null {
    if (this.#next !== null) return 'recording request: two questions wait already; read the answers first';
    this.#next = request;
    this.drained();
    return null;
  }

  /** Nothing waits to be sent any more. */
  drained(): void {
    const request = this.#next;
    if (request === null || this.#isAnswering || this.#link.bufferedBytes > 0) return;
    this.#next = null;
    this.#isAnswering = true;
    this.#answer(request).then(
      () => this.#answered(),
      (error: unknown) => {
        this.#refuse(request.id, error);
        this.#answered();
      },
    );
  }

  #answered(): void {
    this.#isAnswering = false;
    this.drained();
  }

  async #answer(request: RecordingRequest): Promise<void> {
    const { id } = request;
    if (request.ask === 'list') {
      const list = (await this.#records?.list(this.#terminal)) ?? { recorded: false, terminals: [], segments: [] };
      this.#tell({ id, list });
      return;
    }
    if (this.#records === null) throw new SegmentMissing('nothing is recorded in this sandbox');
    const data = await this.#records.store.read(this.#terminal, request.segment, request.offset);
    this.#link.send(encodeServerFrame({ type: 'recordingData', id, data }));
  }

  #refuse(id: number, error: unknown): void {
    const message = (error instanceof Error ? error.message : String(error)).slice(0, 500);
    this.#tell({ id, error: error instanceof SegmentMissing ? 'not_found' : 'unreadable', message });
  }

  #tell(info: RecordingInfo): void {
    this.#link.send(encodeServerFrame({ type: 'recordingInfo', info }));
  }
}
