/**
 * Reads of flooding connections are put off a little, so that many small frames leave in one write; quiet
 * connections are never delayed. Measured on the same path: a flood read frame by frame costs the proxy four
 * times the CPU, and the neighbours' echo rises with it.
 *
 * - A connection floods while it exceeds `FLOOD_BYTES` in a window of `WINDOW_MS`.
 * - A short burst (a screen redraw) passes undelayed: pacing starts when the flood has lasted a whole window.
 * - A read that brought a large batch needs no longer delay, only a turn for others: next turn of the loop.
 * - A small one waits `DELAY_MS`, or `CROWDED_DELAY_MS` while many others flood: each then brings a batch worth its
 *   write. Resumed are at most `RESUMED_PER_TURN` per turn, so that quiet connections still get every turn.
 */
const WINDOW_MS = 20;
const FLOOD_BYTES = 32 * 1024;
const LARGE_BATCH_BYTES = 128 * 1024;
const DELAY_MS = 1;
const CROWDED_DELAY_MS = 4;
/** From so many floods at the last resumption the delay is the longer one. */
const CROWD = 8;
const RESUMED_PER_TURN = 8;

export class FloodState {
  readonly resume: () => void;
  windowStartedAtMs = 0;
  windowBytes = 0;
  /** The window before this one was flooded. */
  flooding = false;

  constructor(resume: () => void) {
    this.resume = resume;
  }
}

export class FloodPacer {
  #delayed: FloodState[] = [];
  #next: FloodState[] = [];
  #crowded = false;
  #timer: NodeJS.Timeout | null = null;
  #immediate: NodeJS.Immediate | null = null;

  /** True: read on at once. False: stop reading; `resume` of the state is called later. */
  mayReadOn(state: FloodState, byteCount: number, nowMs: number): boolean {
    const elapsedMs = nowMs - state.windowStartedAtMs;
    if (elapsedMs >= WINDOW_MS) {
      state.flooding = state.windowBytes > FLOOD_BYTES && elapsedMs < 2 * WINDOW_MS;
      state.windowStartedAtMs = nowMs;
      state.windowBytes = 0;
    }
    state.windowBytes += byteCount;
    if (!state.flooding) return true;
    if (byteCount >= LARGE_BATCH_BYTES) {
      this.#next.push(state);
      this.#scheduleTurn();
    } else {
      this.#delayed.push(state);
      this.#timer ??= setTimeout(this.#endDelay, this.#crowded ? CROWDED_DELAY_MS : DELAY_MS);
    }
    return false;
  }

  /** Nothing is resumed afterwards. */
  stop(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    if (this.#immediate !== null) clearImmediate(this.#immediate);
    this.#delayed = [];
    this.#next = [];
  }

  #endDelay = (): void => {
    this.#timer = null;
    this.#crowded = this.#delayed.length >= CROWD;
    this.#next.push(...this.#delayed);
    this.#delayed = [];
    this.#resumeSome();
  };

  #scheduleTurn(): void {
    this.#immediate ??= setImmediate(() => {
      this.#immediate = null;
      this.#resumeSome();
    });
  }

  #resumeSome(): void {
    const some = this.#next.splice(0, RESUMED_PER_TURN);
    for (const state of some) state.resume();
    if (this.#next.length > 0) this.#scheduleTurn();
  }
}
