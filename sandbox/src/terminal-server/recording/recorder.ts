import type { ExitStatus, Size } from '@sac/contracts';
import type { Snapshot } from '../screen/screens.ts';
import { eventLine, headerLine } from './cast.ts';
import { isSustainable, OutputBudget } from './output-budget.ts';
import type { RecordStore } from './record-store.ts';
import { SegmentWriter } from './segment-writer.ts';
import { Utf8Text } from './utf8-text.ts';

export interface RecorderOptions {
  readonly store: RecordStore;
  readonly terminal: string;
  readonly stream: string;
  readonly size: Size;
  /** The screen as of now: everything given to `output` before the call is in it, nothing given later is. */
  readonly keyframe: () => Promise<Snapshot>;
  /** Recording of this terminal has ended, once. */
  readonly onStopped: (reason: string) => void;
}

/** How often a flood is shown, milliseconds between two frames. */
const FLOOD_FRAME_MS = 1_000;
/** A segment that cannot be ended, because no screen is to be had, grows to this many times its size. */
const OVERSIZE = 4;
const RESET = '\x1bc';

type Event =
  | { readonly kind: 'o'; readonly atMs: number; readonly data: Uint8Array }
  | { readonly kind: 'r' | 'm'; readonly atMs: number; readonly data: string };

const sizeText = ({ columns, rows }: Size): string => `${columns}x${rows}`;

/**
 * Writes down what one PTY shows, as segments that each begin with the whole screen. Every batch that viewers get
 * is kept with its time; while a program floods, one screen a second is kept instead, so that a second of
 * `yes` does not cost the history of a day. Nothing here waits for the disk, and nothing waits for what is here.
 */
export class Recorder {
  readonly #options: RecorderOptions;
  readonly #writer: SegmentWriter;
  readonly #budget = new OutputBudget();
  readonly #runStartMs = performance.now();
  readonly #runWallMs = Date.now();
  #text = new Utf8Text();
  #segmentStartMs = 0;
  /** What comes after a screen that has been asked for; null while none is. */
  #held: Event[] | null = null;
  #isAsking = false;
  #askAtSize: number;
  #flood: NodeJS.Timeout | null = null;
  #skippedBytes = 0;
  #lastKeyframe: Promise<void> = Promise.resolve();
  #stopped = false;
  readonly #closed = Promise.withResolvers<void>();

  constructor(options: RecorderOptions) {
    this.#options = options;
    this.#askAtSize = options.store.segmentBytes;
    this.#writer = new SegmentWriter(options.store, options.terminal, (error) => this.#stop(error.message));
    this.#begin({ size: options.size, offset: 0, atMs: 0, continues: false });
    this.#writer.add(eventLine(0, 'o', RESET));
  }

  /** Settles when nothing is written any more. */
  get closed(): Promise<void> {
    return this.#closed.promise;
  }

  get isRecording(): boolean {
    return !this.#stopped;
  }

  /** Output as viewers get it. The bytes are not kept beyond the call unless they are copied. */
  output(bytes: Uint8Array): void {
    if (this.#stopped) return;
    if (this.#flood !== null) {
      this.#skippedBytes += bytes.length;
    } else if (this.#budget.take(bytes.length, performance.now())) {
      this.#add({ kind: 'o', atMs: this.#nowMs(), data: bytes });
      if (this.#writer.segmentSize >= this.#askAtSize) this.#ask({ atMs: this.#nowMs(), isContinuation: true });
    } else {
      this.#skippedBytes = bytes.length;
      this.#add({ kind: 'm', atMs: this.#nowMs(), data: 'fast output' });
      this.#flood = setInterval(() => this.#showFlood(), FLOOD_FRAME_MS);
    }
  }

  resized(size: Size): void {
    if (!this.#stopped) this.#add({ kind: 'r', atMs: this.#nowMs(), data: sizeText(size) });
  }

  /** The process has ended. What it showed last is kept, also after a flood. */
  async exited({ code, signal }: ExitStatus): Promise<void> {
    const wasFlood = this.#flood !== null;
    this.#endFlood();
    await this.#lastKeyframe;
    if (wasFlood && this.#skippedBytes > 0 && !this.#stopped) {
      this.#ask({ atMs: this.#nowMs(), isContinuation: false });
      await this.#lastKeyframe;
    }
    if (!this.#stopped) this.#add({ kind: 'm', atMs: this.#nowMs(), data: `exit ${code ?? signal ?? ''}` });
    await this.close();
  }

  /** Settles when what was shown until now can be read from the files. */
  async written(): Promise<void> {
    // What came after a screen that has been asked for is held back until that is there.
    await this.#lastKeyframe;
    await this.#writer.written();
  }

  async close(): Promise<void> {
    this.#endFlood();
    await this.#lastKeyframe;
    this.#stopped = true;
    await this.#writer.close();
    this.#closed.resolve();
  }

  #nowMs(): number {
    return performance.now() - this.#runStartMs;
  }

  #add(event: Event): void {
    if (this.#held !== null)
      this.#held.push(event.kind === 'o' ? { ...event, data: Uint8Array.from(event.data) } : event);
    else this.#write(event);
  }

  #write({ kind, atMs, data }: Event): void {
    const text = typeof data === 'string' ? data : this.#text.decode(data);
    if (text !== '') this.#writer.add(eventLine(Math.max(0, atMs - this.#segmentStartMs), kind, text));
  }

  #begin(start: { size: Size; offset: number; atMs: number; continues: boolean }): void {
    const { size, offset, atMs, continues } = start;
    this.#segmentStartMs = atMs;
    this.#writer.begin(
      headerLine({
        size,
        offset,
        continues,
        stream: this.#options.stream,
        startedAtMs: Math.round(this.#runWallMs + atMs),
        runMs: Math.round(atMs),
      }),
    );
  }

  /**
   * Asks for the screen, to begin a segment with it. `isContinuation`: everything before it was recorded, so that
   * the segment in hand can go on when there is no screen to be had.
   */
  #ask(place: { readonly atMs: number; readonly isContinuation: boolean }): void {
    if (this.#isAsking) return;
    this.#isAsking = true;
    // Output that this brings forward belongs before the screen: it is held back only from here on.
    const answer = this.#options.keyframe();
    this.#held = [];
    this.#lastKeyframe = answer.then(
      (snapshot) => this.#answered(snapshot, place),
      () => this.#unanswered(place.isContinuation),
    );
  }

  #answered(snapshot: Snapshot, { atMs, isContinuation }: { atMs: number; isContinuation: boolean }): void {
    const held = this.#release();
    if (this.#stopped) return;
    const { size, offset } = snapshot.place;
    if (this.#writer.segmentSize >= this.#askAtSize) {
      this.#begin({ size, offset, atMs, continues: isContinuation });
      this.#askAtSize = this.#options.store.segmentBytes;
    }
    this.#text = new Utf8Text();
    this.#write({ kind: 'o', atMs, data: snapshot.data });
    for (const event of held) this.#write(event);
  }

  #unanswered(isContinuation: boolean): void {
    const held = this.#release();
    if (this.#stopped) return;
    if (isContinuation) for (const event of held) this.#write(event);
    const { segmentBytes } = this.#options.store;
    this.#askAtSize = this.#writer.segmentSize + segmentBytes;
    if (this.#askAtSize > OVERSIZE * segmentBytes) this.#stop('its screen could not be read for too long');
  }

  #release(): readonly Event[] {
    const held = this.#held ?? [];
    this.#held = null;
    this.#isAsking = false;
    return held;
  }

  /** One screen instead of what was skipped; when little was, the flood is over and everything counts again. */
  #showFlood(): void {
    if (this.#isAsking) return;
    const skippedBytes = this.#skippedBytes;
    this.#skippedBytes = 0;
    if (isSustainable(skippedBytes, FLOOD_FRAME_MS)) this.#endFlood();
    if (skippedBytes > 0) this.#ask({ atMs: this.#nowMs(), isContinuation: false });
  }

  #endFlood(): void {
    if (this.#flood !== null) clearInterval(this.#flood);
    this.#flood = null;
  }

  #stop(reason: string): void {
    if (this.#stopped) return;
    this.#stopped = true;
    this.#endFlood();
    this.#options.onStopped(reason);
  }
}
