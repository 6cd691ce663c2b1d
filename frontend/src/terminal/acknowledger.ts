import { limits } from '@sac/contracts';
import { DrawingRate } from './drawing-rate.ts';

/** Far below what the server lets be outstanding, so that a flood never waits for an acknowledgement in between. */
const EVERY_BYTES = 64 * 1024;
const AT_LATEST_MS = 100;
/** A flood may be so far ahead of the screen: what is typed, Ctrl+C above all, is seen to act after about this long. */
const AHEAD_MS = 100;
const SMALLEST_AHEAD_BYTES = 32 * 1024;
/** Acknowledgements while a flood waits to be drawn, for each stretch that it may be ahead. */
const STEPS = 4;

/**
 * Says how far the screen has come: at once when it said nothing for 100 ms, then after every 64 KiB and 100 ms. At
 * once, so that the server knows early from where on this screen's answers to questions count.
 *
 * While output waits to be drawn, the last of what was drawn is kept back: the server sends as much less, and a flood is
 * ahead of the screen by what this screen draws in 100 ms, not by all that may be outstanding. With nothing left to draw
 * everything is acknowledged, so that a fast screen at the end of a long line is never held up.
 */
export class Acknowledger {
  readonly #send: (offset: number) => void;
  readonly #rate = new DrawingRate();
  #sent = 0;
  #drawn = 0;
  #received = 0;
  #timer: ReturnType<typeof setTimeout> | null = null;
  #lastSentMs = -Infinity;

  constructor(send: (offset: number) => void) {
    this.#send = send;
  }

  /** A new connection starts at `offset`. */
  restart(offset: number): void {
    this.stop();
    this.#sent = offset;
    this.#drawn = offset;
    this.#received = offset;
  }

  /** Everything before `offset` waits to be drawn. */
  received(offset: number): void {
    this.#received = offset;
    this.#rate.started(performance.now());
  }

  /** The screen has drawn everything before `offset`. */
  processed(offset: number): void {
    const nowMs = performance.now();
    this.#rate.drew(Math.max(0, offset - this.#drawn), offset >= this.#received, nowMs);
    this.#drawn = offset;
    const due = this.#due - this.#sent;
    if (due <= 0) return;
    const aheadBytes = this.#aheadBytes;
    const isFinal = this.#drawn >= this.#received && aheadBytes < limits.unacknowledgedBytes;
    const enough = due >= Math.min(EVERY_BYTES, aheadBytes / STEPS);
    if (enough || isFinal || nowMs - this.#lastSentMs >= AT_LATEST_MS) this.#flush();
    else this.#timer ??= setTimeout(() => this.#flush(), AT_LATEST_MS);
  }

  /** Acknowledges `offset` even when no counted byte came: the end of a snapshot. */
  snapshotProcessed(offset: number): void {
    this.#drawn = Math.max(this.#drawn, offset);
    this.#flush();
  }

  stop(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }

  /** How far the server may be ahead of what is drawn. */
  get #aheadBytes(): number {
    const { bytesPerMs } = this.#rate;
    if (bytesPerMs === null) return limits.unacknowledgedBytes;
    return Math.min(limits.unacknowledgedBytes, Math.max(SMALLEST_AHEAD_BYTES, Math.round(bytesPerMs * AHEAD_MS)));
  }

  /** What may be acknowledged now; never less than before. */
  get #due(): number {
    const keptBack = this.#drawn >= this.#received ? 0 : limits.unacknowledgedBytes - this.#aheadBytes;
    return Math.max(this.#sent, this.#drawn - keptBack);
  }

  #flush(): void {
    this.stop();
    this.#sent = this.#due;
    this.#lastSentMs = performance.now();
    this.#send(this.#sent);
  }
}
