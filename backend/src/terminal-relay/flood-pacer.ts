import type { RelayMetrics } from './metrics.ts';

/**
 * Decides when a connection that floods is read again, so that many small frames leave in one write and nobody's
 * flood holds up anybody's keystroke. Quiet connections are never delayed and never queued.
 *
 * - A connection floods while it brings more than `FLOOD_BYTES` per `WINDOW_MS`; waiting for a turn does not count. A
 *   short burst (a screen redraw) passes undelayed: pacing starts when the flood has lasted a whole window.
 * - The delay adapts: it grows while reads bring less than is worth a write, shrinks while they bring more, and is
 *   none when a read brought so much that the sender may be waiting for room. So a lone flood keeps its speed, and
 *   fifty floods cost no more reads than one.
 * - Then it waits for its turn. People take turns, not connections: the floods of one share the turn of that one.
 *   While the floods of several people fill their reads, that is, while there is less time than they want, each
 *   gets `TURN_BYTES` a turn, whatever the number of their connections.
 * - At most `READS_PER_TURN`, or what will probably be `BYTES_PER_TURN`, are read before the event loop looks at
 *   everybody else again.
 */
const WINDOW_MS = 20;
const FLOOD_BYTES = 32 * 1024;
const DELAYS_MS = [1, 2, 4, 8] as const;
export interface ReadSizes {
  readonly small: number;
  readonly full: number;
}

/**
 * `small`: below, the next delay is longer. `full`: from here on there is none, because the sender may be waiting.
 * A unix socket holds about 180 KB of small writes, TCP on one machine megabytes.
 */
export const READ_SIZES = {
  unix: { small: 64 * 1024, full: 144 * 1024 },
  tcp: { small: 192 * 1024, full: 448 * 1024 },
} as const satisfies Record<string, ReadSizes>;

const TURN_BYTES = 256 * 1024;
const READS_PER_TURN = 8;
const BYTES_PER_TURN = 1024 * 1024;
/** A person whose read was full this short a time ago wants more than there is. */
const CONTENDS_MS = 50;

/** What one person's floods share: a place among those who wait. */
export class PersonShare {
  readonly waiting: Flow[] = [];
  connections = 0;
  isQueued = false;
  leftBytes = TURN_BYTES;
  contendsUntilMs = 0;
}

/** One direction of one connection. */
export class Flow {
  readonly share: PersonShare;
  readonly sizes: ReadSizes;
  readonly resume: () => void;
  /** The window before this one was flooded. */
  floods = false;
  windowStartedAtMs = 0;
  windowBytes = 0;
  lastReadBytes = 0;
  /** When its delay ends; what it waits after that is not its doing. */
  dueAtMs = 0;
  delayIndex = 0;

  constructor(share: PersonShare, sizes: ReadSizes, resume: () => void) {
    this.share = share;
    this.sizes = sizes;
    this.resume = resume;
  }
}

export class FloodPacer {
  readonly #metrics: RelayMetrics;
  readonly #shares = new Map<string, PersonShare>();
  readonly #delayed: Flow[][] = DELAYS_MS.map(() => []);
  readonly #timers: (NodeJS.Timeout | null)[] = DELAYS_MS.map(() => null);
  #queue: PersonShare[] = [];
  #immediate: NodeJS.Immediate | null = null;
  #contenders = new Set<PersonShare>();
  #stopped = false;

  constructor(metrics: RelayMetrics) {
    this.#metrics = metrics;
  }

  /** A connection of this person opens; each call is answered by one of `leave`. */
  join(person: string): PersonShare {
    let share = this.#shares.get(person);
    if (share === undefined) this.#shares.set(person, (share = new PersonShare()));
    share.connections += 1;
    return share;
  }

  leave(person: string): void {
    const share = this.#shares.get(person);
    if (share === undefined) return;
    share.connections -= 1;
    if (share.connections === 0) this.#shares.delete(person);
  }

  /** True: read on at once. False: stop reading; `resume` of the flow is called later. */
  mayReadOn(flow: Flow, byteCount: number, nowMs: number): boolean {
    const elapsedMs = nowMs - flow.windowStartedAtMs;
    if (elapsedMs >= WINDOW_MS) {
      flow.floods = flow.windowBytes * WINDOW_MS > FLOOD_BYTES * elapsedMs;
      flow.windowStartedAtMs = nowMs;
      flow.windowBytes = 0;
    }
    flow.windowBytes += byteCount;
    if (!flow.floods || this.#stopped) return true;
    this.#metrics.pacedReads += 1;
    flow.lastReadBytes = byteCount;
    if (byteCount >= flow.sizes.full) {
      flow.delayIndex = Math.max(flow.delayIndex - 1, 0);
      flow.dueAtMs = nowMs;
      flow.share.contendsUntilMs = nowMs + CONTENDS_MS;
      this.#contenders.add(flow.share);
      this.#enqueue(flow);
    } else {
      this.#delay(flow, nowMs);
      if (byteCount < flow.sizes.small) flow.delayIndex = Math.min(flow.delayIndex + 1, DELAYS_MS.length - 1);
    }
    return false;
  }

  /** Nothing is resumed or put off afterwards. */
  stop(): void {
    this.#stopped = true;
    for (const timer of this.#timers) if (timer !== null) clearTimeout(timer);
    if (this.#immediate !== null) clearImmediate(this.#immediate);
    for (const delayed of this.#delayed) delayed.length = 0;
    this.#queue = [];
  }

  /** One timer for each length: those who come while it runs leave together. */
  #delay(flow: Flow, nowMs: number): void {
    const index = flow.delayIndex;
    flow.dueAtMs = nowMs + (DELAYS_MS[index] ?? 0);
    this.#delayed[index]?.push(flow);
    this.#timers[index] ??= setTimeout(() => {
      this.#timers[index] = null;
      for (const ready of this.#delayed[index]?.splice(0) ?? []) this.#enqueue(ready);
    }, DELAYS_MS[index]);
  }

  #enqueue(flow: Flow): void {
    const { share } = flow;
    share.waiting.push(flow);
    if (!share.isQueued) {
      share.isQueued = true;
      this.#queue.push(share);
    }
    this.#immediate ??= setImmediate(this.#turn);
  }

  #turn = (): void => {
    this.#immediate = null;
    const nowMs = performance.now();
    const isContended = this.#isContended(nowMs);
    const spent: PersonShare[] = [];
    for (const share of this.#queue) share.leftBytes = TURN_BYTES;
    let bytes = 0;
    for (let reads = 0; reads < READS_PER_TURN && bytes < BYTES_PER_TURN;) {
      const share = this.#queue.shift();
      if (share === undefined) break;
      if (isContended && share.leftBytes <= 0) {
        this.#metrics.budgetWaits += 1;
        spent.push(share);
        continue;
      }
      const flow = share.waiting.shift();
      if (share.waiting.length > 0) this.#queue.push(share);
      else share.isQueued = false;
      if (flow === undefined) continue;
      share.leftBytes -= flow.lastReadBytes;
      reads += 1;
      bytes += flow.lastReadBytes;
      flow.windowStartedAtMs += Math.max(0, nowMs - flow.dueAtMs);
      flow.resume();
    }
    this.#queue.push(...spent);
    if (this.#queue.length > 0) this.#immediate ??= setImmediate(this.#turn);
  };

  /** Whether more than one person wants more than there is. */
  #isContended(nowMs: number): boolean {
    if (this.#contenders.size < 2) return false;
    for (const share of this.#contenders) if (share.contendsUntilMs < nowMs) this.#contenders.delete(share);
    return this.#contenders.size > 1;
  }
}
