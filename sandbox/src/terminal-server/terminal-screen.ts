import type { Size } from '@sac/contracts';
import { bounds } from './constants.ts';
import type { ScreenText } from './screen/screen-model.ts';
import type { Screen, ScreenEvents, Screens, Snapshot } from './screen/screens.ts';
import type { Tail } from './tail.ts';

export interface TerminalScreenEvents extends Pick<ScreenEvents, 'onTitle' | 'onReply'> {
  /** The model caught up with some output, or begins anew: `lagBytes` is another. */
  readonly onProgress: () => void;
}

/**
 * The screen of one terminal for as long as anybody may look at it: the model while the process runs, made again from
 * the tail when its worker is lost; what it showed last afterwards.
 */
export class TerminalScreen {
  readonly #tail: Tail;
  readonly #model: Screen;
  #parsedOffset = 0;
  /** Questions before it were answered when they were new; a model that is made again meets them again. */
  #answeredTo = 0;
  #ending: Promise<string> | null = null;
  #last: { readonly snapshot: Snapshot; readonly text: ScreenText } | null = null;

  /** `size`: that of the tail at its start. */
  constructor(screens: Screens, tail: Tail, size: Size, events: TerminalScreenEvents) {
    this.#tail = tail;
    this.#model = screens.open(size, {
      onTitle: events.onTitle,
      onReply: (data, offset) => {
        if (this.#parsedOffset >= this.#answeredTo) events.onReply(data, offset);
      },
      onParsed: (offset) => {
        this.#parsedOffset = offset;
        events.onProgress();
      },
      onLost: () => this.#rebuild(),
    });
  }

  /** Output that the model has not taken in yet. */
  get lagBytes(): number {
    return this.#tail.end - this.#parsedOffset;
  }

  /** Output, already appended to the tail. */
  write(bytes: Buffer): void {
    this.#model.write(bytes);
  }

  /** A size change, already in the tail. */
  resize(size: Size): void {
    this.#model.resize(size, this.#tail.nextSequence);
  }

  async text(): Promise<ScreenText> {
    await this.#ending;
    return this.#last?.text ?? this.#model.screen();
  }

  /** @throws Error when there is none to be had */
  async snapshot(maxBytes: number): Promise<Snapshot> {
    if (this.#ending === null) return this.#model.snapshot(maxBytes);
    await this.#ending;
    if (this.#last === null) throw new Error('the last screen could not be kept');
    return this.#last.snapshot;
  }

  /**
   * The process has ended: the model gives way to its last snapshot, which serves everyone who looks later. Resolves
   * with the last output as plain text, at most 8 KiB; empty when it could not be read.
   */
  keepLast(): Promise<string> {
    this.#ending ??= this.#readLast();
    return this.#ending;
  }

  close(): void {
    this.#model.close();
  }

  async #readLast(): Promise<string> {
    try {
      const [snapshot, text, output] = await Promise.all([
        this.#model.snapshot(bounds.snapshotBytes),
        this.#model.screen(),
        this.#model.text(),
      ]);
      this.#last = { snapshot, text };
      this.#model.close();
      return output;
    } catch {
      // Closed meanwhile, or the worker was lost: the exit still has to be reported.
      return '';
    }
  }

  #rebuild(): void {
    const from = this.#tail.start;
    let { size } = this.#tail.sizeAt(from);
    let event = this.#tail.eventFrom(0);
    this.#answeredTo = Math.max(this.#answeredTo, this.#parsedOffset);
    this.#parsedOffset = from;
    this.#model.reopen({ offset: from, size, nextSequence: event?.sequence ?? this.#tail.nextSequence });
    let at = from;
    while (at < this.#tail.end || event !== undefined) {
      const stop = at < this.#answeredTo ? this.#answeredTo : Infinity;
      const to = Math.min(event?.offset ?? this.#tail.end, at + bounds.modelBatchBytes, stop);
      const piece = Buffer.allocUnsafe(to - at);
      this.#tail.copy(at, to, piece, 0);
      this.#model.write(piece);
      at = to;
      // Changes nothing, but nothing is drawn together across it: the model says when it is here.
      if (at === this.#answeredTo) this.#model.resize(size, event?.sequence ?? this.#tail.nextSequence);
      if (event === undefined || event.offset !== at) continue;
      ({ size } = event);
      this.#model.resize(size, event.sequence + 1);
      event = event.sequence + 1 < this.#tail.nextSequence ? this.#tail.eventFrom(event.sequence + 1) : undefined;
    }
  }
}
