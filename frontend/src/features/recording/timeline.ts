import { RECORDING_IDLE_MS, type RecordingSegment } from '@sac/contracts';
import type { Segment } from './cast.ts';

/** Between two runs of a program lies as little as this, however long nothing ran. */
const BETWEEN_RUNS_MS = 1_000;

export interface TimelineEntry {
  readonly segment: RecordingSegment;
  /** Place on the bar. */
  readonly startMs: number;
  readonly lengthMs: number;
  /** A new program begins here. */
  readonly isNewRun: boolean;
}

const gapBefore = (before: RecordingSegment | undefined, segment: RecordingSegment, skipsIdle: boolean): number => {
  if (before === undefined) return 0;
  if (before.stream !== segment.stream) return BETWEEN_RUNS_MS;
  const gapMs = Math.max(0, segment.runMs - before.runMs - before.durationMs);
  return skipsIdle ? Math.min(gapMs, RECORDING_IDLE_MS) : gapMs;
};

/** Index of the last number that is not above `value`; 0 when all are. */
const lastAtMost = (sorted: readonly number[], value: number): number => {
  let low = 0;
  let high = sorted.length;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if ((sorted[middle] ?? 0) <= value) low = middle;
    else high = middle;
  }
  return low;
};

/** Segments laid out one after the other on a bar, either as time passed or with pauses cut short. */
export class Timeline {
  readonly skipsIdle: boolean;
  readonly entries: readonly TimelineEntry[];
  readonly totalMs: number;

  constructor(segments: readonly RecordingSegment[], skipsIdle: boolean) {
    this.skipsIdle = skipsIdle;
    let endMs = 0;
    this.entries = segments.map((segment, index) => {
      const before = segments[index - 1];
      const startMs = endMs + gapBefore(before, segment, skipsIdle);
      const lengthMs = skipsIdle ? segment.activeMs : segment.durationMs;
      endMs = startMs + lengthMs;
      return { segment, startMs, lengthMs, isNewRun: before === undefined || before.stream !== segment.stream };
    });
    this.totalMs = endMs;
  }

  /** The segment that is on the screen at a place of the bar; in a gap the one before it. */
  indexAt(barMs: number): number {
    return lastAtMost(
      this.entries.map(({ startMs }) => startMs),
      barMs,
    );
  }

  /** Milliseconds since the start of a segment for a place on the bar. */
  toReal(index: number, barMs: number, loaded: Segment | null): number {
    const entry = this.entries[index];
    if (entry === undefined) return 0;
    const inside = Math.min(Math.max(0, barMs - entry.startMs), entry.lengthMs);
    if (!this.skipsIdle) return inside;
    if (loaded === null) return entry.lengthMs === 0 ? 0 : (inside / entry.lengthMs) * entry.segment.durationMs;
    const event = lastAtMost(loaded.activeMs, inside);
    const past = inside - (loaded.activeMs[event] ?? 0);
    // The short pause on the bar stands for the long one: what comes after it is reached at its end.
    return Math.min(
      (loaded.events[event]?.atMs ?? 0) + past,
      loaded.events[event + 1]?.atMs ?? entry.segment.durationMs,
    );
  }

  /** Place on the bar of a moment in a segment. */
  toBar(index: number, realMs: number, loaded: Segment | null): number {
    const entry = this.entries[index];
    if (entry === undefined) return 0;
    if (!this.skipsIdle) return entry.startMs + Math.min(realMs, entry.lengthMs);
    if (loaded === null) {
      const { durationMs } = entry.segment;
      return entry.startMs + (durationMs === 0 ? 0 : (realMs / durationMs) * entry.lengthMs);
    }
    const times = loaded.events.map(({ atMs }) => atMs);
    const event = lastAtMost(times, realMs);
    const past = Math.max(0, realMs - (times[event] ?? 0));
    return entry.startMs + Math.min((loaded.activeMs[event] ?? 0) + Math.min(past, RECORDING_IDLE_MS), entry.lengthMs);
  }
}
