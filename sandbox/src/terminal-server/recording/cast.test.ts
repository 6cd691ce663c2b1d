import { describe, expect, it } from 'vitest';
import { randomOf } from '../testing/random.ts';
import { createEmulator, feed, screenState } from '../testing/screen-state.ts';
import { eventLine, headerLine, summaryOf } from './cast.ts';
import { Utf8Text } from './utf8-text.ts';

const size = { columns: 80, rows: 24 };
const header = headerLine({
  size,
  stream: 's-1',
  offset: 0,
  startedAtMs: 1_800_000_000_000,
  runMs: 5,
  continues: true,
});
const summaryOfText = (text: string) => summaryOf(3, Buffer.from(text));

describe('bytes as text', () => {
  const text = 'é漢😀\u{10ffff}\u0000x\u001b[31mK\ufffd\n';
  it('is the same wherever the bytes are cut', () => {
    const bytes = Buffer.from(text);
    for (let first = 0; first <= bytes.length; first++) {
      for (let second = first; second <= bytes.length; second++) {
        const decoder = new Utf8Text();
        const pieces = [bytes.subarray(0, first), bytes.subarray(first, second), bytes.subarray(second)];
        expect(pieces.map((piece) => decoder.decode(piece)).join(''), `${first}, ${second}`).toBe(text);
      }
    }
  });

  const seed = Number(process.env['SAC_TEST_SEED'] ?? Math.floor(Math.random() * 2 ** 31));
  it(`shows what the bytes showed, whatever they are (seed ${seed})`, () => {
    const random = randomOf(seed);
    const interesting = [
      0x41, 0x80, 0xbf, 0xc0, 0xc3, 0xa9, 0xe0, 0xe6, 0xbc, 0xa2, 0xed, 0xa0, 0xf0, 0x9f, 0x98, 0xf4, 0xff,
    ];
    for (let round = 0; round < 300; round++) {
      const bytes = Uint8Array.from({ length: 30 }, () => interesting[Math.floor(random() * interesting.length)] ?? 0);
      const decoder = new Utf8Text();
      const cut = Math.floor(random() * 30);
      const decoded =
        decoder.decode(bytes.subarray(0, cut)) + decoder.decode(bytes.subarray(cut)) + decoder.decode(Buffer.from('.'));
      const [fromBytes, fromText] = [createEmulator(size), createEmulator(size)];
      feed(fromBytes, Buffer.concat([bytes, Buffer.from('.')]));
      feed(fromText, decoded);
      expect(screenState(fromText), `seed ${seed}, round ${round}: ${Buffer.from(bytes).toString('hex')}`).toEqual(
        screenState(fromBytes),
      );
      for (const terminal of [fromBytes, fromText]) terminal.dispose();
    }
  });
});

describe('the summary of a file', () => {
  it('has times with pauses cut, markers, and no half line', () => {
    const events = eventLine(0, 'o', 'a') + eventLine(10_000, 'o', 'b') + eventLine(10_500, 'm', 'exit 1');
    expect(summaryOfText(`${header}${events}[99.0,"o","cut`)).toEqual({
      id: 3,
      ...size,
      stream: 's-1',
      startedAtMs: 1_800_000_000_000,
      runMs: 5,
      durationMs: 10_500,
      activeMs: 2_500,
      bytes: Buffer.byteLength(header) + Buffer.byteLength(events) + 14,
      markers: [{ atMs: 10_500, label: 'exit 1' }],
    });
  });
  it.each([
    '',
    'no line end',
    'null\n',
    '[]\n',
    '{"version":2}\n',
    header.replace('"s-1"', '"../x"'),
    header.replace('"width":80', '"width":1e9'),
    header.replace('"runMs":5', '"runMs":-5'),
    `${' '.repeat(5_000)}${header}`,
  ])('%j is none', (text) => {
    expect(summaryOfText(text)).toBeNull();
  });
  it.each([
    [
      'times that go back, are endless or no numbers',
      '[5,"o","a"]\n[1,"o","b"]\n[1e99,"o","c"]\n[x]\n[-1,"m","d"]\n',
      5_000,
      0,
    ],
    ['a thousand markers', '[0.0,"m","x"]\n'.repeat(1_000), 0, 8],
    ['a marker of a kilobyte', `[0.0,"m","${'x'.repeat(1_000)}"]\n`, 0, 0],
    ['a marker that is not JSON', '[0.0,"m","\\q"]\n', 0, 0],
  ])('%s do no harm', (_name, events, durationMs, markers) => {
    const summary = summaryOfText(header + events);
    expect(summary?.durationMs).toBe(durationMs);
    expect(summary?.markers).toHaveLength(markers);
  });
});
