import type { RecordingInfo, RecordingRequest } from './recording.ts';

/**
 * The terminal wire protocol: ttyd's frames (first byte = type, rest = payload, always binary) plus the
 * `sac` extension negotiated in the hello. design: terminal.md §3. Facts on ttyd: its protocol.c.
 */
export const SUBPROTOCOL = 'tty';
export const EXTENSION_VERSION = 1;

export const clientFrame = {
  input: 0x30,
  resize: 0x31,
  pause: 0x32,
  resume: 0x33,
  acknowledge: 0x34,
  takeOwnership: 0x35,
  echoRequest: 0x36,
  recordingRequest: 0x37,
  hello: 0x7b,
} as const;
export const serverFrame = {
  output: 0x30,
  title: 0x31,
  preferences: 0x32,
  sync: 0x34,
  snapshot: 0x35,
  state: 0x36,
  echoReply: 0x37,
  recordingInfo: 0x38,
  recordingData: 0x39,
} as const;

export const limits = {
  inputFrameBytes: 65_536,
  echoPayloadBytes: 32,
  helloBytes: 4_096,
  controlFrameBytes: 1_024,
  maxColumns: 1_000,
  maxRows: 1_000,
  titleCharacters: 256,
  helloTimeoutMs: 5_000,
  viewersPerTerminal: 32,
  terminalsPerSandbox: 16,
  unacknowledgedBytes: 512 * 1024,
  tailBytes: 4 * 1024 * 1024,
} as const;

export interface Size {
  readonly columns: number;
  readonly rows: number;
}

/** The hello is one JSON frame; its first byte `{` is the frame type. */
export interface Hello extends Partial<Size> {
  readonly AuthToken?: string;
  readonly sac?: {
    readonly version: number;
    /** Stream and absolute byte offset after the last byte this client has processed. */
    readonly stream?: string;
    readonly offset?: number;
    readonly mode: 'control' | 'view';
    readonly wantsOwnership: boolean;
    /** Reads what was recorded of the terminal instead of watching it: no viewer, no output, also when it has ended. */
    readonly recording?: boolean;
  };
}

/** `4` from the server: the next counted byte has this offset. Precedes the first `0`. */
export interface SyncPayload extends Size {
  readonly stream: string;
  readonly offset: number;
  readonly kind: 'resume' | 'snapshot';
}

export interface ExitStatus {
  readonly code: number | null;
  readonly signal: string | null;
}

/** `6` from the server. A size change is this frame exactly before the byte at `offset`. */
export interface StatePayload extends Size {
  readonly owner: boolean;
  readonly mode: 'control' | 'view';
  readonly viewers: readonly {
    readonly name: string;
    readonly owner: boolean;
    readonly self: boolean;
    readonly mode: 'control' | 'view';
  }[];
  readonly offset: number;
  /** Name of the foreground process, when known. */
  readonly foreground: string | null;
  readonly exit: ExitStatus | null;
  /** Output is being written down. Absent from a server that cannot. */
  readonly recorded?: boolean;
}

export type ClientMessage =
  | { readonly type: 'hello'; readonly hello: Hello }
  | { readonly type: 'input'; readonly data: Uint8Array }
  | { readonly type: 'resize'; readonly size: Size }
  | { readonly type: 'pause' }
  | { readonly type: 'resume' }
  | { readonly type: 'acknowledge'; readonly offset: number }
  | { readonly type: 'takeOwnership' }
  | { readonly type: 'echoRequest'; readonly payload: Uint8Array }
  | { readonly type: 'recordingRequest'; readonly request: RecordingRequest };

export type ServerMessage =
  | { readonly type: 'output'; readonly data: Uint8Array }
  | { readonly type: 'title'; readonly title: string }
  | { readonly type: 'preferences'; readonly preferences: Record<string, unknown> }
  | { readonly type: 'sync'; readonly sync: SyncPayload }
  | { readonly type: 'snapshot'; readonly data: Uint8Array }
  | { readonly type: 'state'; readonly state: StatePayload }
  | { readonly type: 'echoReply'; readonly payload: Uint8Array }
  | { readonly type: 'recordingInfo'; readonly info: RecordingInfo }
  | { readonly type: 'recordingData'; readonly id: number; readonly data: Uint8Array };
