/** Time of drawing that an estimate rests on; short, because programs change what they write. */
const SAMPLE_MS = 100;

/** How fast a screen draws while there is something to draw, in bytes per millisecond. */
export class DrawingRate {
  #bytesPerMs: number | null = null;
  #sampleBytes = 0;
  #sampleMs = 0;
  #markMs: number | null = null;

  /** Null until it has drawn for a tenth of a second. */
  get bytesPerMs(): number | null {
    return this.#bytesPerMs;
  }

  /** Something waits to be drawn, from now on if it did not already. */
  started(nowMs: number): void {
    this.#markMs ??= nowMs;
  }

  /** `byteCount` more are drawn; `idle`: and nothing is left. */
  drew(byteCount: number, idle: boolean, nowMs: number): void {
    this.#sampleBytes += byteCount;
    this.#sampleMs += nowMs - (this.#markMs ?? nowMs);
    this.#markMs = idle ? null : nowMs;
    if (this.#sampleMs < SAMPLE_MS) return;
    const sample = this.#sampleBytes / this.#sampleMs;
    this.#bytesPerMs = this.#bytesPerMs === null ? sample : (this.#bytesPerMs + sample) / 2;
    this.#sampleBytes = 0;
    this.#sampleMs = 0;
  }
}
