import { describe, expect, it } from 'vitest';
import type { Size } from '@sac/contracts';
import { randomOf } from '../testing/random.ts';
import { createEmulator, feed, screenState } from '../testing/screen-state.ts';
import { ScreenModel } from './screen-model.ts';

const size: Size = { columns: 20, rows: 6 };
const BIG = 1024 * 1024;
const noEvents = { onTitle: () => undefined, onReply: () => undefined };

/** Cuts `output` at `cut`: one emulator sees everything, another a snapshot of a model and the rest. */
const cutAndCompare = (
  output: Uint8Array,
  cut: number,
  dimensions: Size = size,
  garbage = '',
): { uncut: object; restored: object } => {
  const uncut = createEmulator(dimensions);
  const restored = createEmulator(dimensions);
  const model = new ScreenModel(dimensions, noEvents);
  model.write(output.subarray(0, cut));
  feed(restored, garbage);
  feed(restored, model.snapshot(BIG));
  feed(uncut, output);
  feed(restored, output.subarray(cut));
  const result = { uncut: screenState(uncut), restored: screenState(restored) };
  for (const terminal of [uncut, restored]) terminal.dispose();
  model.dispose();
  return result;
};
const bytes = (text: string): Uint8Array => Buffer.from(text);

const OSC = (text: string): string => `\x1b]${text}\x1b\\`;
/** Continuations that would show a lost state: what is fed to both sides after the restore. */
const next = 'x\r\nyz\tT\x1b[2CW\x1b8R\x1b[3;3Hq\x1b[1;1H\x1b[2Lins\n\n\n\n\n\n\nend';

describe('characters cut into pieces', () => {
  it.each(['…', '—', '、', '倉', '😀'])('%s is drawn whole wherever it is cut', (character) => {
    const output = bytes(character.repeat(3));
    for (let cut = 0; cut <= output.length; cut++) {
      const model = new ScreenModel(size, noEvents);
      model.write(output.subarray(0, cut));
      const { uncut, restored } = cutAndCompare(output, cut);
      expect(restored).toEqual(uncut);
      model.write(output.subarray(cut));
      expect(model.screen().lines[0]).toBe(character.repeat(3));
      model.dispose();
    }
  });
});

const modes: readonly (readonly [string, string, string?])[] = [
  ['plain text', 'hello\r\nworld'],
  ['colours 16', '\x1b[31;44mred\x1b[91;104mbright'],
  ['colours 256', '\x1b[38;5;200;48;5;17mpalette'],
  ['colours RGB', '\x1b[38;2;1;2;3;48;2;250;0;9mrgb'],
  ['bold dim italic blink inverse hidden strike overline', '\x1b[1;2;3;5;7;8;9;53mall'],
  ['underline styles', '\x1b[4ma\x1b[4:2mb\x1b[4:3mc\x1b[4:4md\x1b[4:5me\x1b[24mf'],
  ['underline colour', '\x1b[4:3;58:2::10:20:30mcurly\x1b[58:5:99mx\x1b[59my'],
  ['protected', '\x1b[1"qsafe\x1b[0"qfree', '\x1b[1;1H\x1b[?K'],
  ['erased with background', '\x1b[44m\x1b[2Jtext\x1b[K\x1b[2;5Hmid\x1b[41m\x1b[4X'],
  ['hidden cursor', '\x1b[?25lx'],
  ['cursor style bar', '\x1b[5 qx'],
  ['cursor style steady underline', '\x1b[4 q'],
  ['cursor blink mode', '\x1b[?12h'],
  ['scroll region', '1\r\n2\r\n3\r\n4\r\n5\x1b[2;4rtop', '\x1b[4;1H\n\nmore\x1b[2;1H\x1bM'],
  ['origin mode', '\x1b[2;4r\x1b[?6h\x1b[2;3Hin', '\x1b[1;1Hhome'],
  ['saved cursor with pen', '\x1b[3;7H\x1b[35;1mA\x1b7\x1b[m\x1b[1;1H', '\x1b8B'],
  ['saved cursor with charset', '\x1b(0\x1b[2;2H\x1b7\x1b(B\x1b[1;1Hq', '\x1b8q'],
  ['saved cursor on both screens', '\x1b[2;2H\x1b7\x1b[?1047h\x1b[4;4H\x1b7', '\x1b8a\x1b[?1047l\x1b8b'],
  ['saved cursor of the left alternate screen', '\x1b[?47h\x1b[4;4H\x1b7\x1b[?47l', '\x1b[?47h\x1b8a'],
  ['line drawing', '\x1b(0lqqk'],
  ['G1 shifted out', '\x1b)0\x0eqqq', 'q\x0fq'],
  ['G2 locked', '\x1b*A\x1bn#', '#'],
  ['tab stops', '\x1b[3g\x1b[1;4H\x1bH\x1b[1;9H\x1bH\r', '\ta\tb\tc'],
  ['no tab stops', '\x1b[3g\r', '\ta'],
  ['autowrap off', '\x1b[?7l', 'abcdefghijklmnopqrstuvwxyz'],
  ['autowrap off, no room for a wide character', '\x1b[?7l\x1b[1;19Hx\x1b[44m漢', '\x1b[3b\u0301'],
  ['the same after another one', '\x1b[?7l\x1b[1;18H\x1b[31m漢\x1b[44m\x1b[1;20H字', '\x1b[2b\u0301'],
  ['the same in insert mode', '\x1b[?7lab\x1b[1;20H\x1b[4h漢', 'x'],
  ['reverse wraparound', '\x1b[?45h', 'abcdefghijklmnopqrstuvwxyz\b\b\b\b\b\b\b\bX'],
  ['insert mode', 'abc\x1b[1;1H\x1b[4h', 'XY'],
  ['newline mode', '\x1b[20h', 'a\nb'],
  ['application cursor keys', '\x1b[?1h'],
  ['application keypad', '\x1b='],
  ['mouse click', '\x1b[?1000h'],
  ['mouse drag, SGR', '\x1b[?1002h\x1b[?1006h'],
  ['mouse any, SGR pixels', '\x1b[?1003h\x1b[?1016h'],
  ['mouse X10', '\x1b[?9h'],
  ['mouse encoding alone', '\x1b[?1006h'],
  ['focus reports', '\x1b[?1004h'],
  ['bracketed paste', '\x1b[?2004h'],
  ['synchronised output', '\x1b[?2026h'],
  ['alternate screen', 'normal\x1b[?1049halt\x1b[3;3H\x1b[31mred', '\x1b[?1049lback'],
  ['alternate screen 47', 'normal\x1b[?47halt', '\x1b[?47lback'],
  ['alternate screen with region', 'n\x1b[?1049h\x1b[2;5r\x1b[2;1Hx', '\x1b[5;1H\n\n\nz\x1b[?1049ly'],
  ['hyperlink', `a${OSC('8;;https://example.org/x')}link${OSC('8;;')}b`],
  ['open hyperlink', `a${OSC('8;id=7;https://example.org/x')}\x1b[32mlink`, `more${OSC('8;;')}`],
  ['wrapped line', 'abcdefghijklmnopqrstuvwxyz', '\x1b[1;1H'],
  ['wrapped twice with colour', `\x1b[42m${'0123456789'.repeat(5)}`],
  ['wrap waits', '01234567890123456789', 'X'],
  ['wrap waits after a colour change', '01234567890123456789\x1b[31m', 'X'],
  ['wrap waits with background', '\x1b[44m01234567890123456789', 'X'],
  ['wide characters', '漢字かな😀x'],
  ['wide character at the edge', `${'a'.repeat(19)}漢b`],
  ['wide character at the edge in colour', `\x1b[7;31m${'a'.repeat(19)}漢b`],
  ['wide character waits', `${'a'.repeat(18)}漢`, '字'],
  ['combining characters', 'e\u0301a\u0308\u0323', '\u0301'],
  ['combining after the cut', 'e', '\u0301x'],
  ['repeat after the cut', 'abc', '\x1b[5b'],
  ['repeat of a wide character', 'ab漢', '\x1b[3b'],
  ['wrapped line erased at its end', `${'a'.repeat(25)}\x1b[1;20H\x1b[X\x1b[3;1H`],
  ['wrapped line erased at its start', `${'a'.repeat(25)}\x1b[2;1H\x1b[2X\x1b[3;1H`],
  ['wrapped line erased in colour', `${'a'.repeat(25)}\x1b[45m\x1b[1;15H\x1b[9X\x1b[m\x1b[3;1H`],
  ['wrapped after half a wide character', `${'漢'.repeat(12)}\x1b[1;2H\x1b[3@`, '\x1b[2;1H'],
  ['half a wide character at the end, wrapped', '漢\x1b[12b\x1b[1;2Ha\x1b[3@'],
  ['wrap waits after another character set', '01234567890123456789\x1b(0', 'qX'],
  ['wrap waits in another character set', '\x1b(00123456789012345678q', '\u0301q'],
  ['zero-width character at the start', '\u0301abc'],
  ['scrollback', Array.from({ length: 40 }, (_, index) => `line ${index}`).join('\r\n')],
  ['wrapped scrollback in colour', `\x1b[33m${'0123456789'.repeat(60)}`],
  ['screen scrolled up', '1\r\n2\r\n3\r\n4\x1b[2S'],
  ['soft reset', '\x1b[31m\x1b[?7l\x1b[2;3r\x1b[!p'],
];

describe('snapshot, per state: set it, restore, compare, go on, compare again', () => {
  it.each(modes)('%s', (...[, setup = '', continuation = next]: readonly (string | undefined)[]) => {
    const whole = bytes(setup + continuation);
    const atOnce = cutAndCompare(bytes(setup), bytes(setup).length);
    expect(atOnce.restored).toEqual(atOnce.uncut);
    const later = cutAndCompare(whole, bytes(setup).length);
    expect(later.restored).toEqual(later.uncut);
  });

  it.each(modes)(
    '%s, over a screen that is in a different state and half way through a sequence',
    (...[, setup = '']: readonly (string | undefined)[]) => {
      const garbage = `\x1b[?1049h\x1b[?25l\x1b[?6h\x1b[4h\x1b(0\x1b[2;3r\x1b[?7l\x1b[?1003h\x1b[?1006h\x1b[20h\x1b[41mjunk${OSC('8;;http://x')}\x1b]2;unfinished`;
      const { uncut, restored } = cutAndCompare(bytes(setup), bytes(setup).length, size, garbage);
      expect(restored).toEqual(uncut);
    },
  );
});

describe('snapshot inside a sequence or character', () => {
  const output = bytes(
    `é漢😀\x1b[38;2;1;2;3mx${OSC('2;title')}y\x1b]2;bell\x07z\x1bP$qm\x1b\\a\x1b(0q\x1b(Bb${OSC('8;id=1;http://h/é')}l${OSC('8;;')}\x1b[1;5Hend\xc2\x9b2Cq`,
  );
  it.each(Array.from({ length: output.length + 1 }, (_, cut) => cut))('byte %i', (cut) => {
    const { uncut, restored } = cutAndCompare(output, cut);
    expect(restored).toEqual(uncut);
  });
  it('keeps bounded memory for a sequence that never ends, and swallows its rest', () => {
    const output = Buffer.concat([bytes('before\x1b]52;c;'), Buffer.alloc(300_000, 0x41), bytes('\x07after')]);
    const { uncut, restored } = cutAndCompare(output, 200_000);
    expect(restored).toEqual(uncut);
  });
});

describe('what the emulator does not keep', () => {
  const snapshotOf = (output: string): string => {
    const model = new ScreenModel(size, noEvents);
    model.write(bytes(output));
    const text = Buffer.from(model.snapshot(BIG)).toString();
    model.dispose();
    return text;
  };
  it.each<readonly [string, string, string]>([
    ['palette colour', OSC('4;1;rgb:ff/00/00'), OSC('4;1;rgb:ff/00/00')],
    ['two palette colours at once', OSC('4;1;#123456;2;red'), OSC('4;2;red')],
    ['foreground', OSC('10;#abcdef'), OSC('10;#abcdef')],
    ['background through 10', OSC('10;#111111;#222222'), OSC('11;#222222')],
    ['cursor colour', OSC('12;blue'), OSC('12;blue')],
    ['title', OSC('0;my title'), OSC('2;my title')],
    ['kitty keyboard flags', '\x1b[>1u\x1b[>5u', '\x1b[>1u\x1b[>5u'],
    ['kitty keyboard flags set', '\x1b[>1u\x1b[=8;2u', '\x1b[>9u'],
  ])('%s', (_name, output, expected) => {
    expect(snapshotOf(output)).toContain(expected);
  });
  it.each<readonly [string, string, string]>([
    ['palette reset', `${OSC('4;1;red')}${OSC('104;1')}`, ']4;1'],
    ['background reset', `${OSC('11;red')}${OSC('111')}`, ']11;red'],
    ['a question is not a colour', OSC('11;?'), ']11;?'],
    ['kitty popped', '\x1b[>1u\x1b[<u', '\x1b[>1u'],
  ])('%s', (_name, output, absent) => {
    expect(snapshotOf(output)).not.toContain(absent);
  });
});

describe('bounds', () => {
  it('drops the oldest scrollback to fit, never the screen', () => {
    const model = new ScreenModel({ columns: 200, rows: 50 }, noEvents);
    for (let line = 0; line < 1_000; line++)
      model.write(bytes(`\x1b[38;2;${line % 256};1;2m${String(line).padEnd(190, '#')}\r\n`));
    const snapshot = model.snapshot(64 * 1024);
    expect(snapshot.length).toBeLessThan(66 * 1024);
    const restored = createEmulator({ columns: 200, rows: 50 });
    feed(restored, snapshot);
    expect(restored.buffer.active.getLine(restored.buffer.active.baseY + 48)?.translateToString(true)).toMatch(/^999#/);
    expect(restored.buffer.active.baseY).toBeGreaterThan(100);
    model.dispose();
    restored.dispose();
  });
  it('cuts a title of a megabyte', () => {
    const titles: string[] = [];
    const model = new ScreenModel(size, { ...noEvents, onTitle: (title) => titles.push(title) });
    model.write(bytes(`\x1b]2;${'t'.repeat(1_000_000)}\x07`));
    expect(titles).toEqual(['t'.repeat(256)]);
    model.dispose();
  });
  it('gives the screen and the last output as text', () => {
    const model = new ScreenModel(size, noEvents);
    model.write(bytes(`${Array.from({ length: 9 }, (_, index) => `line ${index}`).join('\r\n')}\x1b[?2004h`));
    expect(model.screen()).toEqual({
      lines: ['line 3', 'line 4', 'line 5', 'line 6', 'line 7', 'line 8'],
      cursor: { x: 6, y: 5 },
      modes: { bracketedPaste: true, alternateScreen: false },
    });
    expect(model.text(14)).toBe('line 7\nline 8');
    model.dispose();
  });
});

/**
 * Underlines end in the piece they start in: the emulator saves the cursor without them, so that a restored
 * pen shows whatever happens to be left over, which no sequence can set. Links are absent for a like reason:
 * the emulator forgets them when the line scrolls away on which they began.
 */
const pieces = [
  'a',
  'word ',
  '漢',
  '😀',
  'é',
  'e\u0301',
  '\r\n',
  '\n',
  '\r',
  '\b',
  '\t',
  '\x1b[A',
  '\x1b[3C',
  '\x1b[5;5H',
  '\x1b[H',
  '\x1b[K',
  '\x1b[1K',
  '\x1b[2J',
  '\x1b[3X',
  '\x1b[2P',
  '\x1b[3@',
  '\x1b[L',
  '\x1b[M',
  '\x1b[31m',
  '\x1b[44m',
  '\x1b[1;4:3;58:5:9mU\x1b[m',
  '\x1b[m',
  '\x1b[7m',
  '\x1b[2;4r',
  '\x1b[r',
  '\x1bM',
  '\x1bD',
  '\x1b7',
  '\x1b8',
  '\x1b[?1049h',
  '\x1b[?1049l',
  '\x1b[?25l',
  '\x1b[?25h',
  '\x1b(0',
  '\x1b(B',
  '\x1b[?7l',
  '\x1b[?7h',
  '\x1b[?6h',
  '\x1b[?6l',
  '\x1b[4h',
  '\x1b[4l',
  '\x1b[S',
  '\x1b[T',
  '\x1b[4b',
  '0123456789012345678901234',
  '\x1b[?2026h',
  '\x1b[?2026l',
  '\x1bc',
  '\x1b[!p',
] as const;

describe('random output', () => {
  const seed = Number(process.env['SAC_TEST_SEED'] ?? Math.floor(Math.random() * 2 ** 31));
  it(`a snapshot at any byte gives the screen of the uncut run (seed ${seed})`, () => {
    const random = randomOf(seed);
    for (let round = 0; round < 400; round++) {
      const output = bytes(
        Array.from({ length: 60 }, () => pieces[Math.floor(random() * pieces.length)] ?? '').join(''),
      );
      const cut = Math.floor(random() * (output.length + 1));
      const dimensions = { columns: 2 + Math.floor(random() * 30), rows: 2 + Math.floor(random() * 10) };
      const { uncut, restored } = cutAndCompare(output, cut, dimensions);
      expect(
        restored,
        `seed ${seed}, round ${round}, cut ${cut}, ${dimensions.columns}x${dimensions.rows}, output ${JSON.stringify(Buffer.from(output).toString())}`,
      ).toEqual(uncut);
    }
  });
});

/** Lines of a flood, nearly all of which scroll away undrawn; now and then something that must be drawn. */
const flood = (random: () => number, lines: number): string => {
  const pick = <T>(list: readonly T[]): T | undefined => list[Math.floor(random() * list.length)];
  const texts = [
    '',
    'x',
    'error: ',
    '漢字\t',
    'é',
    '\u0301',
    '\x1b[31m',
    '\x1b[0m',
    '\x1b[m',
    '\x1b[1;44m',
    '\x1b[K',
    '\u00a0',
    '\r',
  ];
  const long = '0123456789'.repeat(5);
  return Array.from({ length: lines }, () => {
    const text = Array.from({ length: 3 }, () => pick(texts)).join('');
    const surprise = random() < 0.0004 ? pick(pieces) : '';
    return `${text}${random() < 0.1 ? long : ''}${surprise}${random() < 0.02 ? '\n' : '\r\n'}`;
  }).join('');
};

describe('floods', () => {
  const seed = Number(process.env['SAC_TEST_SEED'] ?? Math.floor(Math.random() * 2 ** 31));
  it(`what is not drawn changes nothing (seed ${seed})`, () => {
    const random = randomOf(seed);
    for (let round = 0; round < 40; round++) {
      const before = Array.from({ length: 20 }, () => pieces[Math.floor(random() * pieces.length)] ?? '').join('');
      const output = bytes(before + flood(random, 1_100 + Math.floor(random() * 3_000)));
      const cut = random() < 0.5 ? output.length : Math.floor(random() * (output.length + 1));
      const dimensions = { columns: 2 + Math.floor(random() * 60), rows: 2 + Math.floor(random() * 20) };
      const { uncut, restored } = cutAndCompare(output, cut, dimensions);
      expect(restored, `seed ${seed}, round ${round}, cut ${cut}, ${dimensions.columns}x${dimensions.rows}`).toEqual(
        uncut,
      );
    }
  });
});
