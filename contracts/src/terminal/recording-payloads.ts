import {
  atMost,
  booleanOf,
  integerIn,
  jsonObject,
  listOf,
  objectOf,
  offsetOf,
  refuse,
  sizeOf,
  streamOf,
  stringOf,
} from './payloads.ts';
import {
  recordingErrors,
  recordingLimits,
  type RecordingInfo,
  type RecordingList,
  type RecordingMarker,
  type RecordingRequest,
  type RecordingSegment,
} from './recording.ts';

const MAX_ID = 2 ** 32 - 1;
const MAX_MESSAGE_CHARACTERS = 500;
const MAX_NAME_CHARACTERS = 8;

type JsonObject = ReturnType<typeof jsonObject>;

export const recordingRequestOf = (payload: Uint8Array): RecordingRequest => {
  atMost(payload, recordingLimits.requestBytes, 'recording request');
  const { id, ask, segment, offset } = jsonObject(payload, 'recording request');
  const known = integerIn(id, 0, MAX_ID, 'recording request: id');
  if (ask === 'list') return { id: known, ask };
  if (ask !== 'read') return refuse('malformed', 'recording request: ask: expected list or read');
  return {
    id: known,
    ask,
    segment: offsetOf(segment, 'recording request: segment'),
    offset: offsetOf(offset, 'recording request: offset'),
  };
};

const markerOf = (entry: unknown): RecordingMarker => {
  const { atMs, label } = objectOf(entry, 'recording: marker');
  return {
    atMs: offsetOf(atMs, 'recording: marker.atMs'),
    label: stringOf(label, recordingLimits.markerCharacters, 'recording: marker.label'),
  };
};

const segmentOf = (entry: unknown): RecordingSegment => {
  const segment: JsonObject = objectOf(entry, 'recording: segment');
  const number = (name: string): number => offsetOf(segment[name], `recording: segment.${name}`);
  return {
    id: number('id'),
    stream: streamOf(segment['stream'], 'recording: segment.stream'),
    startedAtMs: number('startedAtMs'),
    runMs: number('runMs'),
    durationMs: number('durationMs'),
    activeMs: number('activeMs'),
    bytes: number('bytes'),
    ...sizeOf(segment, 'recording: segment'),
    markers: listOf(segment['markers'], recordingLimits.markersPerSegment, 'recording: markers').map(markerOf),
  };
};

const recordOf = (value: unknown): RecordingList => {
  const { recorded, terminals, segments } = objectOf(value, 'recording: list');
  return {
    recorded: booleanOf(recorded, 'recording: recorded'),
    terminals: listOf(terminals, recordingLimits.terminals, 'recording: terminals').map((name) =>
      stringOf(name, MAX_NAME_CHARACTERS, 'recording: terminal'),
    ),
    segments: listOf(segments, recordingLimits.segments, 'recording: segments').map(segmentOf),
  };
};

export const recordingInfoOf = (payload: Uint8Array): RecordingInfo => {
  atMost(payload, recordingLimits.infoBytes, 'recording');
  const object = jsonObject(payload, 'recording');
  const id = integerIn(object['id'], 0, MAX_ID, 'recording: id');
  if (object['error'] === undefined) return { id, list: recordOf(object['list']) };
  const error = recordingErrors.find((known) => known === object['error']) ?? 'unreadable';
  return { id, error, message: stringOf(object['message'], MAX_MESSAGE_CHARACTERS, 'recording: message') };
};

const ID_BYTES = 4;

/** Id of the question in four bytes, most significant first, then what was read. */
export const recordingDataOf = (payload: Uint8Array): { readonly id: number; readonly data: Uint8Array } => {
  if (payload.length < ID_BYTES)
    return refuse('malformed', `recording data: ${payload.length} bytes, at least 4 needed`);
  atMost(payload, recordingLimits.readBytes + ID_BYTES, 'recording data');
  const id = new DataView(payload.buffer, payload.byteOffset).getUint32(0);
  return { id, data: payload.subarray(ID_BYTES) };
};

export const recordingDataPayload = (id: number, data: Uint8Array): Uint8Array<ArrayBuffer> => {
  const payload = new Uint8Array(ID_BYTES + data.length);
  new DataView(payload.buffer).setUint32(0, id);
  payload.set(data, ID_BYTES);
  return payload;
};
