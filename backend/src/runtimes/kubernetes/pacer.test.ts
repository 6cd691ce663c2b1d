import { expect, it } from 'vitest';
import { Pacer } from './pacer.ts';

const never = new AbortController().signal;

it('lets callers through in order, not faster than it may', async () => {
  const pacer = new Pacer(100);
  const order: number[] = [];
  const beganMs = performance.now();
  await Promise.all(Array.from({ length: 20 }, (_, index) => pacer.turn(never).then(() => order.push(index))));
  expect(performance.now() - beganMs).toBeGreaterThan(150);
  expect(order).toEqual(Array.from({ length: 20 }, (_, index) => index));
});

it('keeps no turn for those who gave up', async () => {
  const pacer = new Pacer(1);
  await pacer.turn(never);
  const gone = Array.from({ length: 1_000 }, () => {
    const abort = new AbortController();
    const turn = pacer.turn(abort.signal);
    abort.abort(new Error('gave up'));
    return turn;
  });
  expect((await Promise.allSettled(gone)).every(({ status }) => status === 'rejected')).toBe(true);
  const beganMs = performance.now();
  await pacer.turn(never);
  expect(performance.now() - beganMs).toBeLessThan(30_000); // a thousand turns are as many seconds
});

it('lets nobody wait who has given up before', async () => {
  await expect(new Pacer(1).turn(AbortSignal.abort(new Error('gave up')))).rejects.toThrow('gave up');
});
