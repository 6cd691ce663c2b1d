import { afterEach, expect, it, vi } from 'vitest';
import type * as Constants from './constants.ts';
import { Harness } from './testing/harness.ts';

vi.mock('./constants.ts', async (original) => {
  const { bounds } = await original<typeof Constants>();
  return { bounds: { ...bounds, pingIntervalMs: 100, pongTimeoutMs: 600 } };
});

let harness: Harness;
afterEach(() => harness.stop());

it('drops a viewer that answers no ping, and no other', async () => {
  harness = await Harness.start();
  const [healthy, halfOpen] = [harness.connect(), harness.connect()];
  await Promise.all([healthy.untilSync(), halfOpen.untilSync()]);
  await healthy.until(() => healthy.state?.viewers.length === 2, 'both');
  halfOpen.freeze();
  await healthy.until(() => healthy.state?.viewers.length === 1, 'one left');
  await new Promise((resolve) => setTimeout(resolve, 1_200));
  expect(healthy.closeInfo).toBeNull();
});
