import { limits, type ExitStatus, type Hello, type Size, type StatePayload, type SyncPayload } from './frames.ts';

// The package is compiled without DOM or Node types; every runtime it meets has this.
declare const TextDecoder: new (label: string, options: { fatal: boolean }) => { decode(bytes: Uint8Array): string };

export type FrameErrorCode = 'empty' | 'unknown_type' | 'too_long' | 'malformed' | 'out_of_range';

/** Bounds of frames from the server that are not named in the protocol itself. Units: bytes of payload. */
export const serverLimits = { dataBytes: 1024 * 1024, jsonBytes: 64 * 1024, titleBytes: 16 * 1024 } as const;

const STREAM_PATTERN = /^[A-Za-z0-9_-]{1,64}$/;
const DECIMAL_PATTERN = /^(0|[1-9][0-9]{0,15})$/;
const MAX_SIGNAL_CHARACTERS = 32;
const MAX_NAME_CHARACTERS = 256;
const SHOWN_VALUE_CHARACTERS = 24;

export class FrameRefused extends Error {
  readonly code: FrameErrorCode;
  constructor(code: FrameErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}
export const refuse = (code: FrameErrorCode, message: string): never => {
  throw new FrameRefused(code, message);
};

/** A short form of any value for an error message: bounded, printable. */
const show = (value: unknown): string => {
  const text = typeof value === 'number' ? String(value) : (JSON.stringify(value) ?? String(value));
  return text.length > SHOWN_VALUE_CHARACTERS ? `${text.slice(0, SHOWN_VALUE_CHARACTERS)}…` : text;
};

const utf8Decoder = new TextDecoder('utf-8', { fatal: true });

export const textOf = (bytes: Uint8Array, what: string): string => {
  try {
    return utf8Decoder.decode(bytes);
  } catch {
    return refuse('malformed', `${what}: not valid UTF-8`);
  }
};

export const atMost = (bytes: Uint8Array, limitBytes: number, what: string): void => {
  if (bytes.length > limitBytes) refuse('too_long', `${what}: ${bytes.length} bytes, the limit is ${limitBytes}`);
};

type JsonObject = Readonly<Record<string, unknown>>;

const isObject = (value: unknown): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

export const objectOf = (value: unknown, what: string): JsonObject =>
  isObject(value) ? value : refuse('malformed', `${what}: expected an object, got ${show(value)}`);

export const listOf = (value: unknown, maximum: number, what: string): readonly unknown[] => {
  if (!Array.isArray(value)) return refuse('malformed', `${what}: expected a list, got ${show(value)}`);
  if (value.length > maximum) return refuse('too_long', `${what}: ${value.length} entries, the limit is ${maximum}`);
  return value;
};

export const jsonObject = (bytes: Uint8Array, what: string): JsonObject => {
  let value: unknown;
  const text = textOf(bytes, what);
  try {
    value = JSON.parse(text);
  } catch {
    return refuse('malformed', `${what}: not valid JSON`);
  }
  return isObject(value) ? value : refuse('malformed', `${what}: expected a JSON object, got ${show(value)}`);
};

export const integerIn = (value: unknown, minimum: number, maximum: number, what: string): number => {
  if (typeof value !== 'number') return refuse('malformed', `${what}: expected a number, got ${show(value)}`);
  if (!Number.isSafeInteger(value) || value < minimum || value > maximum) {
    return refuse('out_of_range', `${what}: expected a whole number from ${minimum} to ${maximum}, got ${show(value)}`);
  }
  return value;
};
export const offsetOf = (value: unknown, what: string): number => integerIn(value, 0, Number.MAX_SAFE_INTEGER, what);

export const stringOf = (value: unknown, maximumCharacters: number, what: string): string => {
  if (typeof value !== 'string') return refuse('malformed', `${what}: expected text, got ${show(value)}`);
  if (value.length > maximumCharacters) {
    return refuse('too_long', `${what}: ${value.length} characters, the limit is ${maximumCharacters}`);
  }
  return value;
};

export const booleanOf = (value: unknown, what: string): boolean =>
  typeof value === 'boolean' ? value : refuse('malformed', `${what}: expected true or false, got ${show(value)}`);

const modeOf = (value: unknown, what: string): 'control' | 'view' =>
  value === 'control' || value === 'view'
    ? value
    : refuse('malformed', `${what}: expected control or view, got ${show(value)}`);

export const streamOf = (value: unknown, what: string): string =>
  typeof value === 'string' && STREAM_PATTERN.test(value)
    ? value
    : refuse('malformed', `${what}: not a stream id: ${show(value)}`);

export const sizeOf = (value: JsonObject, what: string): Size => ({
  columns: integerIn(value['columns'], 1, limits.maxColumns, `${what}: columns`),
  rows: integerIn(value['rows'], 1, limits.maxRows, `${what}: rows`),
});

/**
 * A size in a hello is a wish: ttyd takes only what is above zero, and so do we (a hidden page measures 0).
 * What is too large becomes the maximum. Not a number at all is still an error.
 */
const wishedDimension = (value: unknown, maximum: number, what: string): number | undefined => {
  if (value === undefined) return undefined;
  if (typeof value !== 'number') return refuse('malformed', `${what}: expected a number, got ${show(value)}`);
  const whole = Math.floor(value);
  return whole >= 1 ? Math.min(whole, maximum) : undefined;
};

const extensionOf = (value: unknown): Hello['sac'] => {
  if (value === undefined || value === null) return undefined;
  const object = objectOf(value, 'hello: sac');
  const { stream, offset, recording } = object;
  return {
    version: integerIn(object['version'], 1, 1_000, 'hello: sac.version'),
    ...(stream === undefined ? {} : { stream: streamOf(stream, 'hello: sac.stream') }),
    ...(offset === undefined ? {} : { offset: offsetOf(offset, 'hello: sac.offset') }),
    mode: modeOf(object['mode'], 'hello: sac.mode'),
    wantsOwnership: booleanOf(object['wantsOwnership'], 'hello: sac.wantsOwnership'),
    ...(recording === undefined ? {} : { recording: booleanOf(recording, 'hello: sac.recording') }),
  };
};

export const helloOf = (frame: Uint8Array): Hello => {
  atMost(frame, limits.helloBytes, 'hello');
  const object = jsonObject(frame, 'hello');
  const token = object['AuthToken'];
  const columns = wishedDimension(object['columns'], limits.maxColumns, 'hello: columns');
  const rows = wishedDimension(object['rows'], limits.maxRows, 'hello: rows');
  const sac = extensionOf(object['sac']);
  return {
    ...(token === undefined ? {} : { AuthToken: stringOf(token, limits.helloBytes, 'hello: AuthToken') }),
    ...(columns === undefined ? {} : { columns }),
    ...(rows === undefined ? {} : { rows }),
    ...(sac === undefined ? {} : { sac }),
  };
};

export const acknowledgedOffset = (payload: Uint8Array): number => {
  atMost(payload, limits.controlFrameBytes, 'acknowledge');
  const text = textOf(payload, 'acknowledge');
  const offset = DECIMAL_PATTERN.test(text) ? Number(text) : Number.NaN;
  if (Number.isSafeInteger(offset)) return offset;
  return refuse(
    'out_of_range',
    `acknowledge: expected a decimal offset from 0 to ${Number.MAX_SAFE_INTEGER}, got ${show(text)}`,
  );
};

export const syncOf = (payload: Uint8Array): SyncPayload => {
  atMost(payload, serverLimits.jsonBytes, 'sync');
  const object = jsonObject(payload, 'sync');
  const kind = object['kind'];
  if (kind !== 'resume' && kind !== 'snapshot')
    return refuse('malformed', `sync: kind: expected resume or snapshot, got ${show(kind)}`);
  return {
    stream: streamOf(object['stream'], 'sync: stream'),
    offset: offsetOf(object['offset'], 'sync: offset'),
    kind,
    ...sizeOf(object, 'sync'),
  };
};

const exitOf = (value: unknown): ExitStatus | null => {
  if (value === null) return null;
  const { code, signal } = objectOf(value, 'state: exit');
  return {
    code: code === null ? null : integerIn(code, -(2 ** 31), 2 ** 31 - 1, 'state: exit.code'),
    signal: signal === null ? null : stringOf(signal, MAX_SIGNAL_CHARACTERS, 'state: exit.signal'),
  };
};

const viewersOf = (value: unknown): StatePayload['viewers'] =>
  listOf(value, limits.viewersPerTerminal, 'state: viewers').map((entry) => {
    const viewer = objectOf(entry, 'state: viewer');
    return {
      name: stringOf(viewer['name'], MAX_NAME_CHARACTERS, 'state: viewer.name'),
      owner: booleanOf(viewer['owner'], 'state: viewer.owner'),
      self: booleanOf(viewer['self'], 'state: viewer.self'),
      mode: modeOf(viewer['mode'], 'state: viewer.mode'),
    };
  });

export const stateOf = (payload: Uint8Array): StatePayload => {
  atMost(payload, serverLimits.jsonBytes, 'state');
  const object = jsonObject(payload, 'state');
  const { foreground, recorded } = object;
  return {
    owner: booleanOf(object['owner'], 'state: owner'),
    mode: modeOf(object['mode'], 'state: mode'),
    viewers: viewersOf(object['viewers']),
    offset: offsetOf(object['offset'], 'state: offset'),
    foreground: foreground === null ? null : stringOf(foreground, MAX_NAME_CHARACTERS, 'state: foreground'),
    exit: exitOf(object['exit']),
    ...(recorded === undefined ? {} : { recorded: booleanOf(recorded, 'state: recorded') }),
    ...sizeOf(object, 'state'),
  };
};

/** First `limits.titleCharacters` characters (code points, so that no surrogate pair is cut). */
export const clampTitle = (title: string): string => {
  if (title.length <= limits.titleCharacters) return title;
  // Twice the limit in UTF-16 units holds the limit in code points, and bounds the work for a title of megabytes.
  return [...title.slice(0, 2 * limits.titleCharacters)].slice(0, limits.titleCharacters).join('');
};
