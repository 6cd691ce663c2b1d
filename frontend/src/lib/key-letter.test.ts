import { expect, it } from 'vitest';
import { keyLetter } from './key-letter.ts';

it.each([
  ['k', 'KeyK', 'k'],
  ['K', 'KeyK', 'k'],
  ['л', 'KeyK', 'k'],
  ['Κ', 'KeyK', 'k'],
  ['k', 'KeyV', 'k'],
  ['a', 'KeyQ', 'a'],
  ['Dead', 'KeyK', 'k'],
  ['ArrowUp', 'ArrowUp', null],
  ['ö', 'Semicolon', null],
])('%s on %s is %s', (key, code, letter) => {
  expect(keyLetter({ key, code })).toBe(letter);
});
