import type { PlayerState } from './player.ts';
import type { Timeline } from './timeline.ts';

/** A place on the bar with a meaning. */
export interface BarMarker {
  readonly atMs: number;
  /** `started`: a program began; `exited`: it ended, with this code or signal; `flood`: only a screen a second. */
  readonly kind: 'started' | 'exited' | 'flood';
  readonly detail: string;
}

const kindOf = (label: string): Omit<BarMarker, 'atMs'> | null => {
  if (label === 'fast output') return { kind: 'flood', detail: '' };
  const status = /^exit ([A-Z0-9+-]{1,16})$/.exec(label)?.[1];
  return status === undefined ? null : { kind: 'exited', detail: status };
};

/** What happened, in order. Labels that we did not write are left out: programs can write these files too. */
export const markersOf = (timeline: Timeline): readonly BarMarker[] =>
  timeline.entries.flatMap(({ segment, startMs, isNewRun }, index) => [
    ...(isNewRun && index > 0 ? [{ atMs: startMs, kind: 'started' as const, detail: '' }] : []),
    ...segment.markers.flatMap(({ atMs, label }) => {
      const meaning = kindOf(label);
      return meaning === null ? [] : [{ atMs: timeline.toBar(index, atMs, null), ...meaning }];
    }),
  ]);

/** While it plays, a mark just passed is stepped over: it would be passed again before the next key. */
const JUST_PASSED_MS = 1_000;

/** Place on the bar of the next mark in this direction; without one the end of the bar that lies there. */
export const nextMarkerMs = (
  { atMs, totalMs, isPlaying }: Pick<PlayerState, 'atMs' | 'totalMs' | 'isPlaying'>,
  markers: readonly BarMarker[],
  step: 1 | -1,
): number =>
  step === 1
    ? (markers.find((marker) => marker.atMs > atMs + 1)?.atMs ?? totalMs)
    : (markers.findLast((marker) => marker.atMs < atMs - (isPlaying ? JUST_PASSED_MS : 1))?.atMs ?? 0);
