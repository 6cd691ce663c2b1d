import { describe, expect, it } from 'vitest';
import {
  boxShowsPrompt,
  boxShowsPromptBehindText,
  holdsPrompt,
  inputBoxText,
  isBuiltIn,
  isPrompt,
  submittable,
} from './prompt-text.ts';

const screen = (...lines: string[]) => ({ lines, cursor: { x: 0, y: 0 } });

describe('holdsPrompt', () => {
  it.each([
    ['hello', 'hello'],
    ['a  b\n', 'a\tb'],
    ['<pasted_content id="1">\nline one\nline two\n</pasted_content>', 'line one\r\nline two  '],
    ['left over text one two three', 'one two three'],
    ['ab c', 'a\u0007b\u000b c\u0000'],
    ['caf\u00e9', 'cafe\u0301'],
    ['zerowidth 👩👧', 'zero\u200bwidth 👩\u200d👧\ufeff'],
    ['<bash-input>ls -la</bash-input>', '!ls -la'],
    ['\ufffd', '\ud800'],
  ])('%j holds %j', (received, sent) => expect(holdsPrompt(received, sent)).toBe(true));
  it.each([
    ['hello', 'hello you'],
    ['', 'x'],
    ['x', '  '],
    ['banana split', 'banana'],
    ['typed by hand: go', 'go'],
  ])('%j does not hold %j', (received, sent) => expect(holdsPrompt(received, sent)).toBe(false));
});

it('isPrompt takes nothing but the prompt itself', () => {
  expect(isPrompt('<pasted_content id="1">go</pasted_content>', ' go')).toBe(true);
  expect(isPrompt('banana', 'a')).toBe(false);
});

it('submittable keeps Enter from being escaped', () => {
  expect(submittable('C:\\')).toBe('C:\\ ');
  expect(submittable('C:\\ is a disk')).toBe('C:\\ is a disk');
});

describe('inputBoxText', () => {
  it("reads Claude's box and not the prompts above it", () => {
    expect(
      inputBoxText(screen('❯ earlier prompt', '● answer', '────', '❯ [[hang]] line one', '  line two', '────')),
    ).toBe('[[hang]] line one');
    expect(inputBoxText(screen('❯ earlier prompt', '────', '❯ \u00a0', '────'))).toBe('');
  });
  it('takes placeholders for empty', () => {
    expect(inputBoxText(screen('› Ask Codex to do anything'))).toBe('');
    expect(inputBoxText(screen('│ >   Type your message or @path/to/file   │'))).toBe('');
  });
  it('leaves out one border', () => {
    expect(inputBoxText(screen('│ > a | b |  │'))).toBe('a | b |');
  });
  it('is null when there is no box', () => expect(inputBoxText(screen('hello', 'world'))).toBeNull());
});

it('boxShowsPrompt recognises the text and the sign of a large paste', () => {
  expect(boxShowsPrompt('[[hang]] line one', '[[hang]] line one\nline two')).toBe(true);
  expect(boxShowsPrompt('[Pasted text #1 +60 lines]', 'x\n'.repeat(60))).toBe(true);
  expect(boxShowsPrompt('something else', 'hello')).toBe(false);
  expect(boxShowsPrompt('', 'hello')).toBe(false);
});

it('boxShowsPrompt does not take a prompt behind other text for one that only waits for Enter', () => {
  expect(boxShowsPrompt('/clear[Pasted text #1 +60 lines]', 'x\n'.repeat(60))).toBe(false);
  expect(boxShowsPrompt('/clearhello', 'hello')).toBe(false);
});

describe('boxShowsPromptBehindText', () => {
  it.each([
    ['/clearimpo', 'impo'],
    ['/clear [Pasted text #92]', 'x'.repeat(2_000)],
    ['left over one two thr', 'one two three'],
  ])('%j: true', (box, sent) => expect(boxShowsPromptBehindText(box, sent)).toBe(true));
  it.each([
    ['impo', 'impo'],
    ['/clear', 'impo'],
    ['', 'impo'],
    ['look one', 'one two three'],
    ['[Pasted text #92]', 'x'.repeat(2_000)],
  ])('%j: false for what was sent', (box, sent) => expect(boxShowsPromptBehindText(box, sent)).toBe(false));
  it('is false without a box', () => expect(boxShowsPromptBehindText(null, 'impo')).toBe(false));
});

it('isBuiltIn tells commands from paths', () => {
  expect(['/clear', '/model opus', ' /help ', '\u200b /clear'].map(isBuiltIn)).toEqual([true, true, true, true]);
  expect(['/etc/passwd is odd', 'see /clear', 'hello'].map(isBuiltIn)).toEqual([false, false, false]);
});

it('hostile text is looked at once, not once for each of its characters', () => {
  const tags = '<pasted_content '.repeat(40_000);
  expect(isPrompt(tags, 'x')).toBe(false);
  expect(inputBoxText(screen(`> ${' '.repeat(100_000)}x`))).toBe('');
});
