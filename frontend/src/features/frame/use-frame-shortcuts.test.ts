import { describe, expect, it } from 'vitest';
import { neighbour } from './use-frame-shortcuts.ts';

describe('neighbour', () => {
  it('goes round in a ring and starts at either end', () => {
    expect(neighbour(0, 3, 1)).toBe(1);
    expect(neighbour(2, 3, 1)).toBe(0);
    expect(neighbour(0, 3, -1)).toBe(2);
    expect(neighbour(-1, 3, 1)).toBe(0);
    expect(neighbour(-1, 3, -1)).toBe(2);
  });
});
