import { describe, expect, it } from 'vitest';
import { matchLabel } from './match.ts';

describe('matchLabel', () => {
  it('prefers the start of the label, then of a word, then the inside', () => {
    expect(matchLabel('Release notes', '', 're')?.rank).toBe(0);
    expect(matchLabel('Checkout refactor', '', 're')?.rank).toBe(1);
    expect(matchLabel('Acre', '', 're')?.rank).toBe(2);
  });
  it('marks the hit and keeps the case', () => {
    expect(matchLabel('Checkout Refactor', '', 'REF')?.parts).toEqual([
      { text: 'Checkout ', hit: false },
      { text: 'Ref', hit: true },
      { text: 'actor', hit: false },
    ]);
  });
  it('finds words of the hint, but not for two letters', () => {
    expect(matchLabel('Docs', 'ready', 'ready')?.rank).toBe(3);
    expect(matchLabel('Docs', 'ready', 're')).toBeNull();
  });
  it('matches everything with nothing', () => {
    expect(matchLabel('Docs', '', '  ')?.parts).toEqual([{ text: 'Docs', hit: false }]);
  });
});
