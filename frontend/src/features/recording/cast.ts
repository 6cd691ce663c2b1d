import { RECORDING_IDLE_MS, type Size } from '@sac/contracts';

export interface CastEvent {
  /** Milliseconds from the start of its segment. */
  readonly atMs: number;
  readonly kind: 'o' | 'r' | 'm';
  readonly data: string;
}

/** A piece of the record as it is played. The first event is the screen that it begins with. */
export interface Segment {
  readonly size: Size;
  /** Nothing is missing between the segment before and this one, so its first event shows nothing new. */
  readonly continues: boolean;
  readonly events: readonly CastEvent[];
  /** For each event: its time with every pause before it cut to `RECORDING_IDLE_MS`. */
  readonly activeMs: readonly number[];
}

const SECOND_MS = 1_000;
const MAX_CELLS = 1_000;

const eventOf = (line: string): CastEvent | null => {
  try {
    const [seconds, kind, data] = JSON.parse(line) as unknown[];
    if (typeof seconds !== 'number' || !(seconds >= 0) || typeof data !== 'string') return null;
    if (kind !== 'o' && kind !== 'r' && kind !== 'm') return null;
    return { atMs: Math.round(seconds * SECOND_MS), kind, data };
  } catch {
    return null;
  }
};

const headerOf = (line: string): Pick<Segment, 'size' | 'continues'> | null => {
  try {
    const { width, height, sac } = JSON.parse(line) as Record<string, unknown>;
    const fits = (cells: unknown): cells is number =>
      Number.isInteger(cells) && Number(cells) >= 1 && Number(cells) <= MAX_CELLS;
    if (!fits(width) || !fits(height)) return null;
    const { continues } = (sac ?? {}) as Record<string, unknown>;
    return { size: { columns: width, rows: height }, continues: continues === true };
  } catch {
    return null;
  }
};

/** The size an `r` event says; null when it says none. */
export const sizeOf = (data: string): Size | null => {
  const [, columns, rows] = /^([0-9]{1,4})x([0-9]{1,4})$/.exec(data)?.map(Number) ?? [];
  if (!columns || !rows || columns > MAX_CELLS || rows > MAX_CELLS) return null;
  return { columns, rows };
};

/** Reads one asciicast v2 file; null when it is none. Lines that are no events are passed over. */
export const parseSegment = (bytes: Uint8Array): Segment | null => {
  const text = new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes);
  const [first = '', ...lines] = text.slice(0, text.lastIndexOf('\n') + 1).split('\n');
  const header = headerOf(first);
  if (header === null) return null;
  const events: CastEvent[] = [];
  const activeMs: number[] = [];
  for (const line of lines) {
    const event = eventOf(line);
    const before = events.at(-1)?.atMs ?? 0;
    if (event === null || event.atMs < before) continue;
    activeMs.push((activeMs.at(-1) ?? 0) + Math.min(event.atMs - before, RECORDING_IDLE_MS));
    events.push(event);
  }
  return { ...header, events, activeMs };
};

const lineOf = (atMs: number, kind: string, data: string): string =>
  `[${(atMs / SECOND_MS).toFixed(3)},"${kind}",${JSON.stringify(data)}]\n`;

/** Writes one asciicast v2 file from segments that follow each other; times begin at 0. */
export class CastExport {
  readonly #pieces: string[] = [];
  #size = '';

  constructor(title: string, startedAtMs: number, size: Size) {
    const header = {
      version: 2,
      width: size.columns,
      height: size.rows,
      timestamp: Math.floor(startedAtMs / SECOND_MS),
      title,
      env: { TERM: 'xterm-256color' },
    };
    this.#pieces.push(`${JSON.stringify(header)}\n`);
    this.#size = `${size.columns}x${size.rows}`;
  }

  /** `startMs`: from the beginning of the whole record to that of the segment. */
  add(segment: Segment, startMs: number): void {
    const isSeamless = segment.continues && this.#pieces.length > 1;
    const size = `${segment.size.columns}x${segment.size.rows}`;
    if (!isSeamless && size !== this.#size) this.#write(startMs, 'r', size);
    for (const [index, { atMs, kind, data }] of segment.events.entries())
      if (index > 0 || !isSeamless) this.#write(startMs + atMs, kind, data);
  }

  get pieces(): readonly string[] {
    return this.#pieces;
  }

  #write(atMs: number, kind: CastEvent['kind'], data: string): void {
    if (kind === 'r') this.#size = data;
    this.#pieces.push(lineOf(atMs, kind, data));
  }
}
