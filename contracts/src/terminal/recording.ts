/**
 * What was recorded of a terminal, read over a connection whose hello says `sac.recording`: the client asks, one
 * question at a time, the server answers each with one frame. docs/adr/0004.
 */
export const recordingLimits = {
  requestBytes: 1_024,
  infoBytes: 256 * 1024,
  /** Most that one answer carries of a segment. */
  readBytes: 128 * 1024,
  /** Files of one sandbox, all terminals together. */
  segments: 128,
  markersPerSegment: 8,
  markerCharacters: 64,
  terminals: 128,
  segmentBytes: 8 * 1024 * 1024,
} as const;

/** A pause longer than this counts as this long in `activeMs`. */
export const RECORDING_IDLE_MS = 2_000;

export type RecordingRequest =
  | { readonly id: number; readonly ask: 'list' }
  /** Bytes of a segment from `offset` on; an empty answer says that there are no more yet. */
  | { readonly id: number; readonly ask: 'read'; readonly segment: number; readonly offset: number };

export interface RecordingMarker {
  readonly atMs: number;
  readonly label: string;
}

/** One piece of the record: an asciicast v2 file that begins with the screen as it was. Size: that at its start. */
export interface RecordingSegment {
  readonly columns: number;
  readonly rows: number;
  /** Grows; a later segment has a larger one. */
  readonly id: number;
  /** The PTY it came from. Times within one run are of one clock that nobody can set. */
  readonly stream: string;
  /** Wall clock at its start, epoch milliseconds. */
  readonly startedAtMs: number;
  /** Milliseconds from the start of the run to its start. */
  readonly runMs: number;
  readonly durationMs: number;
  /** Duration with every pause cut to `RECORDING_IDLE_MS`. */
  readonly activeMs: number;
  readonly bytes: number;
  readonly markers: readonly RecordingMarker[];
}

export interface RecordingList {
  /** The terminal is being recorded now. */
  readonly recorded: boolean;
  /** Names of all terminals of the sandbox of which there is a record. */
  readonly terminals: readonly string[];
  readonly segments: readonly RecordingSegment[];
}

export const recordingErrors = ['not_found', 'unreadable'] as const;
export type RecordingInfo =
  | { readonly id: number; readonly list: RecordingList }
  | { readonly id: number; readonly error: (typeof recordingErrors)[number]; readonly message: string };
