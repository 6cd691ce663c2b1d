import { clientFrame, limits, serverFrame, type ClientMessage, type ServerMessage } from './frames.ts';
import {
  acknowledgedOffset,
  atMost,
  clampTitle,
  FrameRefused,
  helloOf,
  jsonObject,
  refuse,
  serverLimits,
  sizeOf,
  stateOf,
  syncOf,
  textOf,
  type FrameErrorCode,
} from './payloads.ts';
import { recordingDataOf, recordingDataPayload, recordingInfoOf, recordingRequestOf } from './recording-payloads.ts';

// The package is compiled without DOM or Node types; every runtime it meets has this.
declare const TextEncoder: new () => { encode(text: string): Uint8Array<ArrayBuffer> };

/** Why a frame was refused. `message` names the limit and the value met, so it can be a close reason. */
export interface FrameError {
  readonly code: FrameErrorCode;
  readonly message: string;
}

export { clampTitle, serverLimits, type FrameErrorCode };

export type Decoded<M> =
  { readonly ok: true; readonly message: M } | { readonly ok: false; readonly error: FrameError };

const utf8Encoder = new TextEncoder();

const withoutPayload = <T extends 'pause' | 'resume' | 'takeOwnership'>(
  type: T,
  payload: Uint8Array,
): { readonly type: T } => {
  atMost(payload, limits.controlFrameBytes, type);
  return { type };
};

const resizeOf = (payload: Uint8Array): ClientMessage => {
  atMost(payload, limits.controlFrameBytes, 'resize');
  return { type: 'resize', size: sizeOf(jsonObject(payload, 'resize'), 'resize') };
};

const clientMessage = (frame: Uint8Array): ClientMessage => {
  const payload = frame.subarray(1);
  switch (frame[0]) {
    case clientFrame.input:
      atMost(payload, limits.inputFrameBytes, 'input');
      return { type: 'input', data: payload };
    case clientFrame.resize:
      return resizeOf(payload);
    case clientFrame.pause:
      return withoutPayload('pause', payload);
    case clientFrame.resume:
      return withoutPayload('resume', payload);
    case clientFrame.acknowledge:
      return { type: 'acknowledge', offset: acknowledgedOffset(payload) };
    case clientFrame.takeOwnership:
      return withoutPayload('takeOwnership', payload);
    case clientFrame.echoRequest:
      atMost(payload, limits.echoPayloadBytes, 'echo request');
      return { type: 'echoRequest', payload };
    case clientFrame.recordingRequest:
      return { type: 'recordingRequest', request: recordingRequestOf(payload) };
    case clientFrame.hello:
      return { type: 'hello', hello: helloOf(frame) };
    default:
      return refuse('unknown_type', `unknown frame type ${frame[0]} from a client`);
  }
};

const dataFrame = <T extends 'output' | 'snapshot'>(
  type: T,
  data: Uint8Array,
): { readonly type: T; readonly data: Uint8Array } => {
  atMost(data, serverLimits.dataBytes, type);
  return { type, data };
};

const titleOf = (payload: Uint8Array): ServerMessage => {
  atMost(payload, serverLimits.titleBytes, 'title');
  return { type: 'title', title: clampTitle(textOf(payload, 'title')) };
};

const preferencesOf = (payload: Uint8Array): ServerMessage => {
  atMost(payload, serverLimits.jsonBytes, 'preferences');
  return { type: 'preferences', preferences: { ...jsonObject(payload, 'preferences') } };
};

const serverMessage = (frame: Uint8Array): ServerMessage => {
  const payload = frame.subarray(1);
  switch (frame[0]) {
    case serverFrame.output:
      return dataFrame('output', payload);
    case serverFrame.title:
      return titleOf(payload);
    case serverFrame.preferences:
      return preferencesOf(payload);
    case serverFrame.sync:
      return { type: 'sync', sync: syncOf(payload) };
    case serverFrame.snapshot:
      return dataFrame('snapshot', payload);
    case serverFrame.state:
      return { type: 'state', state: stateOf(payload) };
    case serverFrame.echoReply:
      atMost(payload, limits.echoPayloadBytes, 'echo reply');
      return { type: 'echoReply', payload };
    case serverFrame.recordingInfo:
      return { type: 'recordingInfo', info: recordingInfoOf(payload) };
    case serverFrame.recordingData:
      return { type: 'recordingData', ...recordingDataOf(payload) };
    default:
      return refuse('unknown_type', `unknown frame type ${frame[0]} from a server`);
  }
};

const decodeWith = <M>(decode: (frame: Uint8Array) => M, frame: Uint8Array): Decoded<M> => {
  if (frame.length === 0)
    return { ok: false, error: { code: 'empty', message: 'empty frame: expected at least the type byte' } };
  try {
    return { ok: true, message: decode(frame) };
  } catch (error) {
    if (error instanceof FrameRefused) return { ok: false, error: { code: error.code, message: error.message } };
    throw error;
  }
};

/** Reads one frame that a client sent. Payload bytes are views into `frame`, not copies. Never throws on input. */
export const decodeClientFrame = (frame: Uint8Array): Decoded<ClientMessage> => decodeWith(clientMessage, frame);

/** Reads one frame that a server sent. Payload bytes are views into `frame`, not copies. Never throws on input. */
export const decodeServerFrame = (frame: Uint8Array): Decoded<ServerMessage> => decodeWith(serverMessage, frame);

const frameOf = (type: number, payload: Uint8Array): Uint8Array<ArrayBuffer> => {
  const frame = new Uint8Array(1 + payload.length);
  frame[0] = type;
  frame.set(payload, 1);
  return frame;
};
const noPayload = new Uint8Array(0);
const jsonFrame = (type: number, value: unknown): Uint8Array<ArrayBuffer> =>
  frameOf(type, utf8Encoder.encode(JSON.stringify(value)));

const encodeClient = (message: ClientMessage): Uint8Array<ArrayBuffer> => {
  switch (message.type) {
    case 'hello':
      return utf8Encoder.encode(JSON.stringify(message.hello));
    case 'input':
      return frameOf(clientFrame.input, message.data);
    case 'resize':
      return jsonFrame(clientFrame.resize, { columns: message.size.columns, rows: message.size.rows });
    case 'pause':
      return frameOf(clientFrame.pause, noPayload);
    case 'resume':
      return frameOf(clientFrame.resume, noPayload);
    case 'acknowledge':
      return frameOf(clientFrame.acknowledge, utf8Encoder.encode(String(message.offset)));
    case 'takeOwnership':
      return frameOf(clientFrame.takeOwnership, noPayload);
    case 'echoRequest':
      return frameOf(clientFrame.echoRequest, message.payload);
    case 'recordingRequest':
      return jsonFrame(clientFrame.recordingRequest, message.request);
  }
};

const encodeServer = (message: ServerMessage): Uint8Array<ArrayBuffer> => {
  switch (message.type) {
    case 'output':
      return frameOf(serverFrame.output, message.data);
    case 'title':
      return frameOf(serverFrame.title, utf8Encoder.encode(clampTitle(message.title)));
    case 'preferences':
      return jsonFrame(serverFrame.preferences, message.preferences);
    case 'sync':
      return jsonFrame(serverFrame.sync, message.sync);
    case 'snapshot':
      return frameOf(serverFrame.snapshot, message.data);
    case 'state':
      return jsonFrame(serverFrame.state, message.state);
    case 'echoReply':
      return frameOf(serverFrame.echoReply, message.payload);
    case 'recordingInfo':
      return jsonFrame(serverFrame.recordingInfo, message.info);
    case 'recordingData':
      return frameOf(serverFrame.recordingData, recordingDataPayload(message.id, message.data));
  }
};

/** What the far end would refuse is never sent: a mistake of the caller shows at once, where it was made. */
const checked = <M>(decode: (frame: Uint8Array) => M, frame: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> => {
  try {
    decode(frame);
  } catch (error) {
    throw error instanceof FrameRefused ? new RangeError(`cannot encode this frame: ${error.message}`) : error;
  }
  return frame;
};

/** One frame from a client. Input longer than 64 KiB must go through `splitInput`. @throws RangeError beyond a limit */
export const encodeClientFrame = (message: ClientMessage): Uint8Array<ArrayBuffer> =>
  checked(clientMessage, encodeClient(message));

/** One frame from a server; a long title is cut. @throws RangeError beyond any other limit */
export const encodeServerFrame = (message: ServerMessage): Uint8Array<ArrayBuffer> =>
  checked(serverMessage, encodeServer(message));

/** Cuts input of any length into pieces that fit one frame each, order kept. The pieces are views, not copies. */
export const splitInput = (data: Uint8Array): Uint8Array[] => {
  const pieces: Uint8Array[] = [];
  for (let start = 0; start < data.length; start += limits.inputFrameBytes) {
    pieces.push(data.subarray(start, start + limits.inputFrameBytes));
  }
  return pieces;
};
