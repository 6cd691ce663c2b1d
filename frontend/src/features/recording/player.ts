import type { RecordingSegment, Size } from '@sac/contracts';
import { sizeOf, type Segment } from './cast.ts';
import { Timeline } from './timeline.ts';

export interface PlayerScreen {
  /** Empties everything; what is written later comes after. */
  reset(size: Size): void;
  write(text: string): void;
  resize(size: Size): void;
  /** Settles when all that was written is on the screen. */
  whenShown(): Promise<void>;
}

export interface PlayerOptions {
  readonly segments: readonly RecordingSegment[];
  readonly load: (id: number) => Promise<Segment>;
  readonly screen: PlayerScreen;
  readonly onChange: (state: PlayerState) => void;
  readonly onError: (error: unknown) => void;
}

export interface PlayerState {
  /** Place on the bar. */
  readonly atMs: number;
  readonly totalMs: number;
  readonly isPlaying: boolean;
  /** Waits for a segment. */
  readonly isLoading: boolean;
  readonly speed: number;
  readonly skipsIdle: boolean;
  /** Wall clock of what is on the screen, epoch milliseconds. */
  readonly wallMs: number;
}

export const speeds = [0.5, 1, 2, 4, 8, 16] as const;
/** A page that was away for longer does not jump when it is back. */
const LONGEST_TICK_MS = 250;
const KEPT_SEGMENTS = 4;

/**
 * Plays a record on a screen. Seeking shows the screen that the segment begins with and everything after it up
 * to the wanted moment at once; while that is being drawn only the newest wish is remembered.
 */
export class Player {
  readonly #options: PlayerOptions;
  readonly #segments = new Map<number, Promise<Segment>>();
  #timeline: Timeline;
  #index = -1;
  #current: Segment | null = null;
  /** Index of the first event that is not on the screen. */
  #next = 0;
  #atMs = 0;
  #wanted: number | null = null;
  #isMoving = false;
  #isLoading = false;
  #isPlaying = false;
  #speed = 1;
  #closed = false;

  constructor(options: PlayerOptions) {
    this.#options = options;
    this.#timeline = new Timeline(options.segments, true);
  }

  get timeline(): Timeline {
    return this.#timeline;
  }

  get state(): PlayerState {
    const atMs = this.#wanted ?? this.#atMs;
    const index = this.#wanted === null ? Math.max(0, this.#index) : this.#timeline.indexAt(atMs);
    const loaded = index === this.#index ? this.#current : null;
    const startedAtMs = this.#timeline.entries[index]?.segment.startedAtMs ?? 0;
    return {
      atMs,
      totalMs: this.#timeline.totalMs,
      isPlaying: this.#isPlaying,
      isLoading: this.#isLoading,
      speed: this.#speed,
      skipsIdle: this.#timeline.skipsIdle,
      wallMs: startedAtMs + this.#timeline.toReal(index, atMs, loaded),
    };
  }

  /** From the beginning again when it stands at the end. */
  play(): void {
    this.#isPlaying = true;
    if ((this.#wanted ?? this.#atMs) >= this.#timeline.totalMs) this.seek(0);
    else this.#changed();
  }

  pause(): void {
    this.#isPlaying = false;
    this.#changed();
  }

  setSpeed(speed: number): void {
    this.#speed = speed;
    this.#changed();
  }

  /** Stays at the same moment; only the bar changes. */
  setSkipsIdle(skipsIdle: boolean): void {
    const atMs = this.#wanted ?? this.#atMs;
    const index = this.#wanted === null ? Math.max(0, this.#index) : this.#timeline.indexAt(atMs);
    const loaded = index === this.#index ? this.#current : null;
    const realMs = this.#timeline.toReal(index, atMs, loaded);
    this.#timeline = new Timeline(this.#options.segments, skipsIdle);
    this.#atMs = this.#timeline.toBar(index, realMs, loaded);
    if (this.#wanted !== null) this.#wanted = this.#atMs;
    this.#changed();
  }

  /** Shows the screen as it was at this place of the bar. */
  seek(barMs: number): void {
    this.#wanted = Math.min(Math.max(0, barMs), this.#timeline.totalMs);
    this.#changed();
    if (this.#isMoving) return;
    this.#isMoving = true;
    this.#move().then(
      () => this.#moved(),
      (error: unknown) => {
        this.#wanted = null;
        this.#isPlaying = false;
        this.#moved();
        this.#options.onError(error);
      },
    );
  }

  /** So much time has passed for the person who watches. */
  tick(elapsedMs: number): void {
    if (!this.#isPlaying || this.#isMoving || this.#isLoading || this.#current === null) return;
    this.#atMs += Math.min(elapsedMs, LONGEST_TICK_MS) * this.#speed;
    if (this.#atMs >= this.#timeline.totalMs) {
      this.#atMs = this.#timeline.totalMs;
      this.#isPlaying = false;
    }
    const index = this.#timeline.indexAt(this.#atMs);
    if (index === this.#index) this.#show(this.#timeline.toReal(index, this.#atMs, this.#current));
    else this.#goOn();
    this.#changed();
  }

  close(): void {
    this.#closed = true;
  }

  /** The rest of this segment, then the next one; it is usually there already. */
  #goOn(): void {
    this.#show(Infinity);
    const { atMs } = this.state;
    const next = this.#timeline.entries[this.#index + 1];
    if (next === undefined) return;
    this.#isLoading = true;
    this.#load(next.segment.id).then(
      (segment) => {
        this.#isLoading = false;
        if (this.#isMoving || this.#closed) return;
        this.#enter(this.#index + 1, segment, segment.continues);
        const here = this.#timeline.indexAt(atMs);
        if (here === this.#index) this.#show(this.#timeline.toReal(here, atMs, segment));
        else this.#atMs = next.startMs + next.lengthMs;
        this.#changed();
      },
      (error: unknown) => {
        this.#isLoading = false;
        this.#isPlaying = false;
        this.#changed();
        this.#options.onError(error);
      },
    );
  }

  async #move(): Promise<void> {
    while (this.#wanted !== null && !this.#closed) {
      const wanted = this.#wanted;
      const index = this.#timeline.indexAt(wanted);
      const entry = this.#timeline.entries[index];
      if (entry === undefined) return;
      const segment = await this.#load(entry.segment.id);
      if (this.#closed || this.#wanted !== wanted) continue;
      const realMs = this.#timeline.toReal(index, wanted, segment);
      const shownUntil = segment.events[this.#next - 1]?.atMs ?? -1;
      if (index !== this.#index || segment !== this.#current || realMs < shownUntil) this.#enter(index, segment, false);
      this.#show(realMs);
      this.#atMs = wanted;
      await this.#options.screen.whenShown();
      if (this.#wanted === wanted) this.#wanted = null;
    }
  }

  #moved(): void {
    this.#isMoving = false;
    this.#changed();
  }

  /** `isSeamless`: the screen is already as the segment's first event says. */
  #enter(index: number, segment: Segment, isSeamless: boolean): void {
    this.#index = index;
    this.#current = segment;
    this.#next = isSeamless ? 1 : 0;
    if (!isSeamless) this.#options.screen.reset(segment.size);
    const after = this.#timeline.entries[index + 1];
    if (after !== undefined) this.#load(after.segment.id).catch(() => undefined);
  }

  #show(untilMs: number): void {
    const { screen } = this.#options;
    const events = this.#current?.events ?? [];
    let text = '';
    for (let event = events[this.#next]; event !== undefined && event.atMs <= untilMs; event = events[this.#next]) {
      this.#next++;
      if (event.kind === 'o') text += event.data;
      const size = event.kind === 'r' ? sizeOf(event.data) : null;
      if (size === null) continue;
      if (text !== '') screen.write(text);
      text = '';
      screen.resize(size);
    }
    if (text !== '') screen.write(text);
  }

  /** A few are kept, so that going back and forth costs nothing. */
  #load(id: number): Promise<Segment> {
    const known = this.#segments.get(id);
    this.#segments.delete(id);
    const segment = known ?? this.#options.load(id);
    this.#segments.set(id, segment);
    segment.catch(() => this.#segments.delete(id));
    for (const oldest of this.#segments.keys()) {
      if (this.#segments.size <= KEPT_SEGMENTS) break;
      this.#segments.delete(oldest);
    }
    return segment;
  }

  #changed(): void {
    if (!this.#closed) this.#options.onChange(this.state);
  }
}
