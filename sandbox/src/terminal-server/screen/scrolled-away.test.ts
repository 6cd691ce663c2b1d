import { describe, expect, it } from 'vitest';
import { findScrolledAway } from './scrolled-away.ts';

const KEPT = 10;
const lines = (count: number, text = 'line'): string =>
  Array.from({ length: count }, (_, at) => `${text} ${at}\r\n`).join('');
const find = (text: string): { skipped: string; colors: string; rest: string }[] => {
  const bytes = Buffer.from(text);
  return findScrolledAway(bytes, KEPT).map(({ from, to, colors }) => ({
    skipped: bytes.toString('utf8', from, to),
    colors: Buffer.from(colors).toString(),
    rest: bytes.toString('utf8', to),
  }));
};

describe('output that scrolls away', () => {
  it('is all but the first line and the lines kept', () => {
    const [found, ...more] = find(lines(100));
    expect(more).toEqual([]);
    expect(found?.skipped.startsWith('\r\nline 1\r\n')).toBe(true);
    expect(found?.rest).toBe(`\r\n${Array.from({ length: KEPT }, (_, at) => `line ${90 + at}\r\n`).join('')}`);
  });

  it('is nothing while the lines could still be seen', () => {
    expect(find(lines(KEPT + 1))).toEqual([]);
    expect(find('x'.repeat(10_000))).toEqual([]);
    expect(find('')).toEqual([]);
  });

  it('keeps the colours that are still in force', () => {
    const colored = `\x1b[31m${lines(5)}\x1b[0;1m${lines(5)}\x1b[0m${lines(5)}\x1b[44;4:3m${lines(5)}\x1b[K\x1b[32m${lines(20)}`;
    expect(find(`a\r\n${colored}`)[0]?.colors).toBe('\x1b[0m\x1b[44;4:3m\x1b[32m');
  });

  it.each([
    ['a cursor movement', '\x1b[A'],
    ['a question', '\x1b[6n'],
    ['a private mode', '\x1b[?25l'],
    ['a title', '\x1b]2;t\x07'],
    ['a backspace', '\b'],
    ['a form feed', '\f'],
    ['a shifted character set', '\x0e'],
    ['a C1 control', '\u009b2J'],
    ['a cut off sequence', '\x1b[3'],
  ])('never spans %s', (_name, sequence) => {
    const few = lines(KEPT - 1);
    expect(find(`${few}${sequence}${few}`)).toEqual([]);
    for (const { skipped } of find(`${lines(50)}${sequence}${lines(50)}`)) expect(skipped).not.toContain(sequence);
    expect(find(`${lines(50)}${sequence}${lines(50)}`)).toHaveLength(2);
  });

  it('goes over text beyond ASCII', () => {
    expect(find(lines(50, 'é漢😀\u00a0'))).toHaveLength(1);
  });

  it('needs whole line ends: a line feed alone keeps the column', () => {
    expect(find('a\n'.repeat(100))).toEqual([]);
  });
});
