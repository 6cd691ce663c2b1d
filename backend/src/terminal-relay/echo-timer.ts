import type { Histogram } from './histogram.ts';

/** Silence in both directions before input counts as a key typed into a quiet terminal. */
const QUIET_MS = 50;
/** What comes later than this is no answer to the key. */
const LONGEST_ECHO_MS = 1_000;

/**
 * What can be known of echo without looking into frames: a chunk of the client after at least 50 ms without a byte in
 * either direction, and the time until the next chunk of the terminal server, as long as that is within a second. So
 * it is the way from this relay to the terminal server, its program, and back; not the person's network. It counts
 * keys, and the page's own echo requests; of an acknowledgement or a pong that fell into silence it measures when the
 * next output happens to come.
 */
export class EchoTimer {
  readonly #times: Histogram;
  #fromMs: number | null = null;

  constructor(times: Histogram) {
    this.#times = times;
  }

  /** `lastByteAtMs`: when the last byte in either direction passed. */
  input(nowMs: number, lastByteAtMs: number): void {
    if (nowMs - lastByteAtMs >= QUIET_MS) this.#fromMs = nowMs;
  }

  output(nowMs: number): void {
    if (this.#fromMs === null) return;
    const tookMs = nowMs - this.#fromMs;
    this.#fromMs = null;
    if (tookMs <= LONGEST_ECHO_MS) this.#times.observe(tookMs / 1_000);
  }
}
