import { describe, expect, it } from 'vitest';
import { holdsClipboard, isTerminalReport, mayAsk } from './reports.ts';

describe('answers of an emulator', () => {
  it.each([
    '\x1b[?1;2c',
    '\x1b[>0;276;0c',
    '\x1b[12;40R',
    '\x1b[?12;40R',
    '\x1b[0n',
    '\x1b[?2004;1$y',
    '\x1b[4;600;800t',
    '\x1b]11;rgb:1e1e/1e1e/1e1e\x1b\\',
    '\x1b]10;rgb:ff/ff/ff\x07',
    '\x1bP1$r0m\x1b\\',
    '\x1b]52;c;\x07',
    '\x1b]52;;\x1b\\',
    '\x1bP>|xterm.js(6.0.0)\x1b\\',
  ])('%j', (text) => {
    expect(isTerminalReport(Buffer.from(text))).toBe(true);
  });
  it.each([
    '',
    'a',
    '\x1b',
    '\x1b[A',
    '\x1bOP',
    '\x1b[1;5C',
    '\x1b[200~paste\x1b[201~',
    '\x1b[<0;3;4M',
    '\x1b[I',
    'ls\r',
    '\x1b[0nx',
    '\x1b[15~',
    `\x1b[${'1;'.repeat(200)}c`,
  ])('not %j', (text) => {
    expect(isTerminalReport(Buffer.from(text))).toBe(false);
  });
});

describe('questions to an emulator', () => {
  it.each([
    '\x1b[c',
    '\x1b[>c',
    '\x1b[6n',
    '\x1b[?6n',
    '\x1b[?2026$p',
    '\x1b[>0q',
    '\x1b[14t',
    '\x1b]11;?\x07',
    '\x1b]52;c;?\x07',
    '\x1bP$qm\x1b\\',
    '\x1bZ',
  ])('%j', (text) => {
    expect(mayAsk(Buffer.from(`before${text}after`))).toBe(true);
  });
  it.each(['plain', '\x1b[31mred\x1b[m', '\x1b[2J\x1b[H', '\x1b]2;title\x07', '\x1b[?2004h'])('not %j', (text) => {
    expect(mayAsk(Buffer.from(text))).toBe(false);
  });
});

describe('the clipboard of a person', () => {
  it.each(['\x1b]52;c;c2VjcmV0\x07', '\x1b]52;;c2VjcmV0\x1b\\', `\x1b]52;p;${'QUJD'.repeat(1_000)}\x07`])(
    'given away by %j',
    (text) => expect(holdsClipboard(Buffer.from(text))).toBe(true),
  );
  it.each(['', '\x1b]52;c;\x07', '\x1b]52;c;?\x07', 'plain', '\x1b[52;c'])('not given away by %j', (text) =>
    expect(holdsClipboard(Buffer.from(text))).toBe(false),
  );
});
