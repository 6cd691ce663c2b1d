import { describe, expect, it } from 'vitest';
import { WholeCharacters } from './whole-characters.ts';

// In every browser and in Node; this package is checked without the types of either.
declare const TextEncoder: new () => { encode(text: string): Uint8Array };
declare const TextDecoder: new (label: string, options: { fatal: boolean }) => { decode(bytes: Uint8Array): string };

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);
const strict = new TextDecoder('utf-8', { fatal: true });

describe('WholeCharacters', () => {
  const text = 'a…b—„é“、倉😀\u{10ffff}z';

  it('ends every piece with a whole character, wherever the stream is cut', () => {
    const all = bytesOf(text);
    for (let one = 0; one <= all.length; one += 1) {
      for (let two = one; two <= all.length; two += 1) {
        const characters = new WholeCharacters();
        const pieces = [all.subarray(0, one), all.subarray(one, two), all.subarray(two)];
        expect(pieces.map((piece) => strict.decode(characters.take(piece))).join('')).toBe(text);
        expect(characters.rest).toHaveLength(0);
      }
    }
  });

  it('keeps what is unfinished, byte by byte', () => {
    const characters = new WholeCharacters();
    expect(characters.take(Uint8Array.of(0xe2))).toHaveLength(0);
    expect(characters.take(Uint8Array.of(0x80))).toHaveLength(0);
    expect([...characters.rest]).toEqual([0xe2, 0x80]);
    expect(strict.decode(characters.take(Uint8Array.of(0xa6)))).toBe('…');
  });

  it.each([
    ['a byte that begins nothing', [0x61, 0xff]],
    ['an overlong form', [0x61, 0xc0]],
    ['continuations of nothing', [0x80, 0x80, 0x80, 0x80]],
    ['a character that was broken off', [0xe2, 0x80, 0x61]],
  ])('holds nothing back for %s', (_name, bytes) => {
    expect([...new WholeCharacters().take(Uint8Array.from(bytes))]).toEqual(bytes);
  });

  it('forgets', () => {
    const characters = new WholeCharacters();
    characters.take(Uint8Array.of(0xe2));
    characters.clear();
    expect([...characters.take(bytesOf('a'))]).toEqual([0x61]);
  });
});
