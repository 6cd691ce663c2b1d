import { afterEach, expect, it, vi } from 'vitest';
import { backoffMs } from './backoff.ts';

afterEach(() => vi.restoreAllMocks());

const bounds = { firstMs: 200, maxMs: 5_000 };

it.each([
  [0, 100, 300],
  [3, 100, 1_700],
  [10, 100, 5_100],
  [1_000, 100, 5_100],
])('after %i failures waits from %i to %i ms', (failures, least, most) => {
  vi.spyOn(Math, 'random').mockReturnValue(0);
  expect(backoffMs(bounds, failures)).toBe(least);
  vi.spyOn(Math, 'random').mockReturnValue(1);
  expect(backoffMs(bounds, failures)).toBe(most);
});
