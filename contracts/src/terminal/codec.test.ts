import { describe, expect, it } from 'vitest';
import {
  clampTitle,
  decodeClientFrame,
  decodeServerFrame,
  encodeClientFrame,
  encodeServerFrame,
  serverLimits,
  splitInput,
} from './codec.ts';
import { recordingLimits } from './recording.ts';
import { clientFrame, limits, serverFrame, type ClientMessage, type ServerMessage } from './frames.ts';

declare const TextEncoder: new () => { encode(text: string): Uint8Array<ArrayBuffer> };

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const filled = (length: number, value = 0x61): Uint8Array => new Uint8Array(length).fill(value);
const size = { columns: 120, rows: 36 };

const clientMessages: readonly ClientMessage[] = [
  { type: 'hello', hello: {} },
  { type: 'hello', hello: { AuthToken: '', ...size } },
  { type: 'hello', hello: { AuthToken: 'x', ...size, sac: { version: 1, mode: 'control', wantsOwnership: true } } },
  {
    type: 'hello',
    hello: {
      sac: { version: 1, stream: 'a_-Z9', offset: Number.MAX_SAFE_INTEGER, mode: 'view', wantsOwnership: false },
    },
  },
  { type: 'input', data: new Uint8Array(0) },
  { type: 'input', data: Uint8Array.from({ length: 256 }, (_, index) => index) },
  { type: 'input', data: filled(limits.inputFrameBytes) },
  { type: 'resize', size: { columns: 1, rows: 1 } },
  { type: 'resize', size: { columns: limits.maxColumns, rows: limits.maxRows } },
  { type: 'pause' },
  { type: 'resume' },
  { type: 'acknowledge', offset: 0 },
  { type: 'acknowledge', offset: Number.MAX_SAFE_INTEGER },
  { type: 'takeOwnership' },
  { type: 'echoRequest', payload: new Uint8Array(0) },
  { type: 'echoRequest', payload: filled(limits.echoPayloadBytes, 0xff) },
  { type: 'hello', hello: { sac: { version: 1, mode: 'view', wantsOwnership: false, recording: true } } },
  { type: 'recordingRequest', request: { id: 0, ask: 'list' } },
  { type: 'recordingRequest', request: { id: 2 ** 32 - 1, ask: 'read', segment: 12, offset: 4_096 } },
];

const state = { ...size, owner: true, mode: 'control', viewers: [], offset: 0, foreground: null, exit: null } as const;
const viewer = { name: 'Ada · 笔记本', owner: false, self: true, mode: 'view' } as const;
const segment = {
  id: 12,
  ...size,
  stream: 's1',
  startedAtMs: 1_800_000_000_000,
  runMs: 12_345,
  durationMs: 60_000,
  activeMs: 4_000,
  bytes: 4_096,
  markers: [{ atMs: 59_000, label: 'exit 0' }],
};
const serverMessages: readonly ServerMessage[] = [
  { type: 'output', data: Uint8Array.of(0xe4, 0xb8) },
  { type: 'output', data: filled(serverLimits.dataBytes, 0x1b) },
  { type: 'title', title: 'vim — é漢😀' },
  { type: 'preferences', preferences: { fontSize: 14, theme: { background: '#000' } } },
  { type: 'sync', sync: { stream: 's1', offset: 12, kind: 'resume', ...size } },
  { type: 'sync', sync: { stream: 's1', offset: 0, kind: 'snapshot', ...size } },
  { type: 'snapshot', data: new Uint8Array(0) },
  { type: 'state', state },
  {
    type: 'state',
    state: {
      ...state,
      foreground: 'claude',
      exit: { code: 1, signal: null },
      viewers: Array.from({ length: 32 }, () => viewer),
    },
  },
  { type: 'state', state: { ...state, owner: false, mode: 'view', exit: { code: null, signal: 'SIGKILL' } } },
  { type: 'echoReply', payload: Uint8Array.of(1, 2, 3) },
  { type: 'state', state: { ...state, recorded: true } },
  {
    type: 'recordingInfo',
    info: { id: 7, list: { recorded: true, terminals: ['main', 'shell-1'], segments: [segment] } },
  },
  { type: 'recordingInfo', info: { id: 7, error: 'not_found', message: 'segment 3 is not there any more' } },
  { type: 'recordingData', id: 2 ** 32 - 1, data: new Uint8Array(0) },
  { type: 'recordingData', id: 1, data: filled(recordingLimits.readBytes, 0xc3) },
];

describe('round trips', () => {
  it.each(clientMessages.map((message, index) => [index, message.type, message] as const))(
    'client %i %s',
    (_index, _type, message) => {
      expect(decodeClientFrame(encodeClientFrame(message))).toEqual({ ok: true, message });
    },
  );
  it.each(serverMessages.map((message, index) => [index, message.type, message] as const))(
    'server %i %s',
    (_index, _type, message) => {
      expect(decodeServerFrame(encodeServerFrame(message))).toEqual({ ok: true, message });
    },
  );
  it('keeps ttyd byte values', () => {
    expect([...encodeClientFrame({ type: 'input', data: bytes('a') })]).toEqual([0x30, 0x61]);
    expect(encodeClientFrame({ type: 'resize', size })).toEqual(bytes('1{"columns":120,"rows":36}'));
    expect(encodeClientFrame({ type: 'hello', hello: { AuthToken: '', ...size } })).toEqual(
      bytes('{"AuthToken":"","columns":120,"rows":36}'),
    );
    expect([...encodeServerFrame({ type: 'output', data: bytes('a') })]).toEqual([0x30, 0x61]);
    expect(encodeServerFrame({ type: 'title', title: 't' })).toEqual(bytes('1t'));
    expect(encodeServerFrame({ type: 'preferences', preferences: {} })).toEqual(bytes('2{}'));
  });
});

const refusal = (result: { ok: true } | { ok: false; error: { code: string; message: string } }) =>
  result.ok ? 'accepted' : `${result.error.code}: ${result.error.message}`;
const prefixed = (type: number, payload: Uint8Array): Uint8Array => {
  const frame = new Uint8Array(payload.length + 1);
  frame[0] = type;
  frame.set(payload, 1);
  return frame;
};

describe('frames from a client that are refused, with limit and value', () => {
  const resize = (json: string) => bytes(`1${json}`);
  const hello = (sac: string) => bytes(`{"sac":${sac}}`);
  it.each<readonly [string, Uint8Array, RegExp]>([
    ['empty', new Uint8Array(0), /^empty: /],
    ['type 8', bytes('8'), /^unknown_type: .*56/],
    ['type 0', Uint8Array.of(0), /^unknown_type: .* 0 /],
    [
      'input too long',
      prefixed(clientFrame.input, filled(65_537)),
      /^too_long: input: 65537 bytes, the limit is 65536/,
    ],
    ['resize 0x0', resize('{"columns":0,"rows":0}'), /^out_of_range: resize: columns: .*1 to 1000, got 0/],
    [
      'resize 10^9',
      resize('{"columns":80,"rows":1000000000}'),
      /^out_of_range: resize: rows: .*1 to 1000, got 1000000000/,
    ],
    ['resize 1e400', resize('{"columns":1e400,"rows":1}'), /^out_of_range: resize: columns: .*got Infinity/],
    ['resize NaN', resize('{"columns":NaN,"rows":1}'), /^malformed: resize: not valid JSON/],
    ['resize fraction', resize('{"columns":80.5,"rows":1}'), /^out_of_range: .*got 80\.5/],
    ['resize text', resize('{"columns":"80","rows":1}'), /^malformed: .*got "80"/],
    ['resize null', resize('{"columns":null,"rows":1}'), /^malformed: .*got null/],
    ['resize list', resize('[80,24]'), /^malformed: .*JSON object/],
    ['resize nothing', resize(''), /^malformed: /],
    ['resize not UTF-8', Uint8Array.of(0x31, 0x7b, 0xff, 0x7d), /^malformed: resize: not valid UTF-8/],
    [
      'resize too long',
      resize(`{"columns":80,"rows":24,"x":"${'x'.repeat(1100)}"}`),
      /^too_long: resize: 11\d\d bytes, the limit is 1024/,
    ],
    ['pause too long', prefixed(clientFrame.pause, filled(1025)), /^too_long: pause: 1025/],
    ['ack negative', bytes('4-1'), /^out_of_range: acknowledge: .*got "-1"/],
    ['ack not a number', bytes('4abc'), /^out_of_range: acknowledge: .*got "abc"/],
    ['ack NaN', bytes('4NaN'), /^out_of_range/],
    ['ack empty', bytes('4'), /^out_of_range/],
    ['ack fraction', bytes('41.5'), /^out_of_range/],
    ['ack exponent', bytes('41e3'), /^out_of_range/],
    ['ack leading zero', bytes('407'), /^out_of_range/],
    ['ack blank', bytes('4 7'), /^out_of_range/],
    ['ack beyond 2^53', bytes('49007199254740993'), /^out_of_range/],
    [
      'ack of megabytes',
      prefixed(clientFrame.acknowledge, filled(2_000_000, 0x39)),
      /^too_long: acknowledge: 2000000 bytes, the limit is 1024/,
    ],
    [
      'echo too long',
      prefixed(clientFrame.echoRequest, filled(33)),
      /^too_long: echo request: 33 bytes, the limit is 32/,
    ],
    ['recording request cut', bytes('7{"id":1'), /^malformed: recording request: not valid JSON/],
    ['recording request id', bytes('7{"id":-1,"ask":"list"}'), /^out_of_range: recording request: id: .*got -1/],
    ['recording request ask', bytes('7{"id":1,"ask":"write"}'), /^malformed: recording request: ask/],
    ['recording segment', bytes('7{"id":1,"ask":"read","segment":"0","offset":0}'), /^malformed: .*segment.*"0"/],
    ['recording offset negative', bytes('7{"id":1,"ask":"read","segment":0,"offset":-1}'), /^out_of_range: .*got -1/],
    ['recording offset huge', bytes('7{"id":1,"ask":"read","segment":0,"offset":1e300}'), /^out_of_range: .*offset/],
    ['recording offset missing', bytes('7{"id":1,"ask":"read","segment":0}'), /^malformed: .*offset/],
    ['recording request too long', prefixed(clientFrame.recordingRequest, filled(1025)), /^too_long: .*1025/],
    ['hello recording', hello('{"version":1,"mode":"view","wantsOwnership":false,"recording":1}'), /^malformed: hello/],
    ['hello too long', bytes(`{"AuthToken":"${'x'.repeat(4096)}"}`), /^too_long: hello: 4112 bytes, the limit is 4096/],
    ['hello cut', bytes('{"AuthToken":'), /^malformed: hello: not valid JSON/],
    ['hello token', bytes('{"AuthToken":5}'), /^malformed: hello: AuthToken/],
    ['hello columns text', bytes('{"columns":"80"}'), /^malformed: hello: columns/],
    ['sac text', hello('"1"'), /^malformed: hello: sac: /],
    [
      'sac version',
      hello('{"version":0,"mode":"view","wantsOwnership":false}'),
      /^out_of_range: hello: sac.version: .*got 0/,
    ],
    ['sac mode', hello('{"version":1,"mode":"admin","wantsOwnership":false}'), /^malformed: hello: sac.mode/],
    ['sac wantsOwnership', hello('{"version":1,"mode":"view"}'), /^malformed: hello: sac.wantsOwnership/],
    [
      'sac stream',
      hello('{"version":1,"mode":"view","wantsOwnership":false,"stream":"../x"}'),
      /^malformed: hello: sac.stream/,
    ],
    [
      'sac offset negative',
      hello('{"version":1,"mode":"view","wantsOwnership":false,"stream":"x","offset":-1}'),
      /^out_of_range: hello: sac.offset.*got -1/,
    ],
    [
      'sac offset text',
      hello('{"version":1,"mode":"view","wantsOwnership":false,"stream":"x","offset":"0"}'),
      /^malformed: hello: sac.offset/,
    ],
  ])('%s', (_name, frame, expected) => {
    expect(refusal(decodeClientFrame(frame))).toMatch(expected);
  });

  it('takes a hello of a stock client: sizes of a hidden page are ignored, too large ones become the maximum', () => {
    expect(decodeClientFrame(bytes('{"AuthToken":"","columns":0,"rows":-3}'))).toEqual({
      ok: true,
      message: { type: 'hello', hello: { AuthToken: '' } },
    });
    expect(decodeClientFrame(bytes('{"columns":1000000000,"rows":1e400,"extra":1}'))).toEqual({
      ok: true,
      message: { type: 'hello', hello: { columns: 1000, rows: 1000 } },
    });
  });
});

describe('frames from a server that are refused', () => {
  const json = (type: number, value: unknown) => prefixed(type, bytes(JSON.stringify(value)));
  it.each<readonly [string, Uint8Array, RegExp]>([
    ['empty', new Uint8Array(0), /^empty/],
    ['type 3', bytes('3'), /^unknown_type: .*51/],
    [
      'output too long',
      prefixed(serverFrame.output, filled(serverLimits.dataBytes + 1)),
      /^too_long: output: 1048577 bytes, the limit is 1048576/,
    ],
    ['title of 1 MB', prefixed(serverFrame.title, filled(1_000_000)), /^too_long: title: 1000000/],
    ['preferences list', json(serverFrame.preferences, [1]), /^malformed: preferences/],
    ['sync kind', json(serverFrame.sync, { stream: 's', offset: 0, kind: 'x', ...size }), /^malformed: sync: kind/],
    [
      'sync offset',
      json(serverFrame.sync, { stream: 's', offset: -1, kind: 'resume', ...size }),
      /^out_of_range: sync: offset.*got -1/,
    ],
    [
      'sync size',
      json(serverFrame.sync, { stream: 's', offset: 0, kind: 'resume', columns: 0, rows: 1 }),
      /^out_of_range: sync: columns/,
    ],
    ['state owner', json(serverFrame.state, { ...state, owner: 1 }), /^malformed: state: owner/],
    ['state viewers', json(serverFrame.state, { ...state, viewers: {} }), /^malformed: state: viewers/],
    [
      'state 33 viewers',
      json(serverFrame.state, { ...state, viewers: Array.from({ length: 33 }, () => viewer) }),
      /^too_long: state: viewers: 33 entries, the limit is 32/,
    ],
    ['state viewer', json(serverFrame.state, { ...state, viewers: [null] }), /^malformed: state: viewer/],
    ['state exit', json(serverFrame.state, { ...state, exit: 1 }), /^malformed: state: exit/],
    [
      'state exit code',
      json(serverFrame.state, { ...state, exit: { code: 1e300, signal: null } }),
      /^out_of_range: state: exit.code/,
    ],
    ['echo reply', prefixed(serverFrame.echoReply, filled(33)), /^too_long: echo reply: 33/],
    ['recording list', json(serverFrame.recordingInfo, { id: 1 }), /^malformed: recording: list/],
    [
      'recording of 129 segments',
      json(serverFrame.recordingInfo, {
        id: 1,
        list: { recorded: true, terminals: [], segments: Array.from({ length: 129 }, () => segment) },
      }),
      /^too_long: recording: segments: 129 entries, the limit is 128/,
    ],
    [
      'recording time',
      json(serverFrame.recordingInfo, {
        id: 1,
        list: { recorded: true, terminals: [], segments: [{ ...segment, durationMs: -1 }] },
      }),
      /^out_of_range: recording: segment.durationMs.*got -1/,
    ],
    ['recording data without id', bytes('9abc'), /^malformed: recording data: 3 bytes/],
    ['recording data too long', prefixed(serverFrame.recordingData, filled(131_077)), /^too_long: recording data/],
  ])('%s', (_name, frame, expected) => {
    expect(refusal(decodeServerFrame(frame))).toMatch(expected);
  });
  it('cuts a long title at a whole character', () => {
    const result = decodeServerFrame(prefixed(serverFrame.title, bytes('😀'.repeat(300))));
    expect(result).toEqual({ ok: true, message: { type: 'title', title: '😀'.repeat(256) } });
    expect(clampTitle('x'.repeat(1_000_000))).toBe('x'.repeat(256));
  });
});

describe('encoding', () => {
  it.each<readonly [string, () => unknown, RegExp]>([
    [
      'input too long',
      () => encodeClientFrame({ type: 'input', data: filled(65_537) }),
      /65537 bytes, the limit is 65536/,
    ],
    ['resize 0', () => encodeClientFrame({ type: 'resize', size: { columns: 0, rows: 1 } }), /1 to 1000, got 0/],
    ['resize NaN', () => encodeClientFrame({ type: 'resize', size: { columns: Number.NaN, rows: 1 } }), /columns/],
    ['ack -1', () => encodeClientFrame({ type: 'acknowledge', offset: -1 }), /got "-1"/],
    ['ack NaN', () => encodeClientFrame({ type: 'acknowledge', offset: Number.NaN }), /got "NaN"/],
    ['echo 33', () => encodeServerFrame({ type: 'echoReply', payload: filled(33) }), /33 bytes, the limit is 32/],
    [
      'output',
      () => encodeServerFrame({ type: 'output', data: filled(serverLimits.dataBytes + 1) }),
      /the limit is 1048576/,
    ],
  ])('throws for %s', (_name, encode, expected) => {
    expect(encode).toThrow(RangeError);
    expect(encode).toThrow(expected);
  });
  it('splits input into frames, order and bytes kept', () => {
    const data = Uint8Array.from({ length: 200_001 }, (_, index) => index % 251);
    const pieces = splitInput(data);
    expect(pieces.map((piece) => piece.length)).toEqual([65_536, 65_536, 65_536, 3_393]);
    expect(Uint8Array.from(pieces.flatMap((piece) => [...piece]))).toEqual(data);
    expect(splitInput(new Uint8Array(0))).toEqual([]);
  });
});

/** mulberry32: small, seeded, good enough to choose test inputs. */
const randomOf = (seed: number) => () => {
  seed = (seed + 0x6d2b79f5) | 0;
  let mixed = Math.imul(seed ^ (seed >>> 15), 1 | seed);
  mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
  return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
};

describe('fuzz', () => {
  const seed = Math.floor(Math.random() * 2 ** 31);
  const corpus = [...clientMessages.map(encodeClientFrame), ...serverMessages.map(encodeServerFrame)].filter(
    (frame) => frame.length < 5_000,
  );

  const mutate = (random: () => number): Uint8Array => {
    const source = corpus[Math.floor(random() * corpus.length)] ?? new Uint8Array(1);
    const frame = source.slice(0, random() < 0.3 ? Math.floor(random() * (source.length + 1)) : source.length);
    for (let edits = Math.floor(random() * 5); edits > 0 && frame.length > 0; edits--) {
      frame[Math.floor(random() * frame.length)] = Math.floor(random() * 256);
    }
    return frame;
  };

  it(`never throws, and what it accepts encodes and decodes to the same (seed ${seed})`, () => {
    const random = randomOf(seed);
    for (let round = 0; round < 20_000; round++) {
      const frame = mutate(random);
      const context = `seed ${seed}, round ${round}, frame ${[...frame.subarray(0, 80)].join(' ')}`;
      const client = decodeClientFrame(frame);
      if (client.ok) expect(decodeClientFrame(encodeClientFrame(client.message)), context).toEqual(client);
      else expect(client.error.message.length, context).toBeLessThan(200);
      const server = decodeServerFrame(frame);
      if (server.ok) expect(decodeServerFrame(encodeServerFrame(server.message)), context).toEqual(server);
      else expect(server.error.message.length, context).toBeLessThan(200);
    }
  });
});
