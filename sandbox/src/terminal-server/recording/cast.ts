import {
  RECORDING_IDLE_MS,
  recordingLimits,
  type RecordingMarker,
  type RecordingSegment,
  type Size,
} from '@sac/contracts';

/** First line of a segment: an asciicast v2 header with what the whole record needs beside it. */
export interface SegmentStart {
  readonly size: Size;
  readonly stream: string;
  /** Offset in the stream of the first byte after the screen that begins the segment. */
  readonly offset: number;
  readonly startedAtMs: number;
  readonly runMs: number;
  /** Nothing is missing between the segment before and this one. */
  readonly continues: boolean;
}

const SECOND_MS = 1_000;
const NEWLINE = 0x0a;
const MAX_TIME_MS = 10 * 365 * 24 * 3_600_000;
const MAX_HEADER_BYTES = 4_096;
const STREAM = /^[A-Za-z0-9_-]{1,64}$/;

export const headerLine = ({ size, stream, offset, startedAtMs, runMs, continues }: SegmentStart): string =>
  `${JSON.stringify({
    version: 2,
    width: size.columns,
    height: size.rows,
    timestamp: Math.floor(startedAtMs / SECOND_MS),
    env: { TERM: 'xterm-256color' },
    sac: { stream, offset, startedAtMs, runMs, continues },
  })}\n`;

/** `o` output, `r` a new size, `m` a marker; input (`i`) is never recorded. */
export const eventLine = (atMs: number, kind: 'o' | 'r' | 'm', data: string): string =>
  `[${(atMs / SECOND_MS).toFixed(3)},"${kind}",${JSON.stringify(data)}]\n`;

const wholeNumber = (value: unknown, maximum = Number.MAX_SAFE_INTEGER): number | null =>
  typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 && value <= maximum ? value : null;

type Header = Pick<RecordingSegment, 'stream' | 'startedAtMs' | 'runMs' | 'columns' | 'rows'>;

const headerOf = (line: string): Header | null => {
  try {
    const { width, height, sac } = JSON.parse(line) as Record<string, unknown>;
    const { stream, startedAtMs, runMs } = (sac ?? {}) as Record<string, unknown>;
    const [columns, rows] = [wholeNumber(width, 1_000), wholeNumber(height, 1_000)];
    const [wall, run] = [wholeNumber(startedAtMs, 8.64e15), wholeNumber(runMs, MAX_TIME_MS)];
    if (!columns || !rows || wall === null || run === null) return null;
    if (typeof stream !== 'string' || !STREAM.test(stream)) return null;
    return { stream, startedAtMs: wall, runMs: run, columns, rows };
  } catch {
    return null;
  }
};

const MARKER = /^,"m",(".*")\]$/;
const markerIn = (rest: string): string | null => {
  const quoted = MARKER.exec(rest)?.[1];
  if (quoted === undefined) return null;
  try {
    const label = JSON.parse(quoted) as unknown;
    return typeof label === 'string' ? label.slice(0, recordingLimits.markerCharacters) : null;
  } catch {
    return null;
  }
};

const MAX_TIME_CHARACTERS = 24;
const MAX_MARKER_LINE_BYTES = 512;

/** Times and markers of the events, without reading what they show. */
const timesOf = (bytes: Buffer, from: number): Pick<RecordingSegment, 'durationMs' | 'activeMs' | 'markers'> => {
  const markers: RecordingMarker[] = [];
  let durationMs = 0;
  let activeMs = 0;
  for (let start = from; start < bytes.length;) {
    const end = bytes.indexOf(NEWLINE, start);
    if (end === -1) break;
    const time = /^\[([0-9]+(?:\.[0-9]+)?)/.exec(bytes.toString('latin1', start, start + MAX_TIME_CHARACTERS));
    const atMs = time === null ? NaN : Math.round(Number(time[1]) * SECOND_MS);
    if (atMs >= durationMs && atMs <= MAX_TIME_MS) {
      activeMs += Math.min(atMs - durationMs, RECORDING_IDLE_MS);
      durationMs = atMs;
    }
    if (time !== null && end - start <= MAX_MARKER_LINE_BYTES && markers.length < recordingLimits.markersPerSegment) {
      const label = markerIn(bytes.toString('utf8', start + time[0].length, end));
      if (label !== null) markers.push({ atMs: durationMs, label });
    }
    start = end + 1;
  }
  return { durationMs, activeMs, markers };
};

/**
 * What a list says of a segment; null when the file is not one. A line without its end, as a crash leaves it, does
 * not count. The agent can write these files, so nothing in them is believed beyond its bounds.
 */
export const summaryOf = (id: number, bytes: Buffer): RecordingSegment | null => {
  const end = bytes.indexOf(NEWLINE);
  if (end === -1 || end > MAX_HEADER_BYTES) return null;
  const header = headerOf(bytes.toString('utf8', 0, end));
  return header === null ? null : { id, ...header, ...timesOf(bytes, end + 1), bytes: bytes.length };
};
