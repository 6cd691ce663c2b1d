import { describe, expect, it, vi } from 'vitest';
import { createWorkQueue } from './work-queue.ts';

const ignoreErrors = { onError: () => undefined };

describe('work queue', () => {
  it('runs a key once however often it is added, and again when added while running', async () => {
    const gate = Promise.withResolvers<void>();
    let runs = 0;
    const queue = createWorkQueue({
      ...ignoreErrors,
      concurrency: 4,
      work: async () => {
        runs += 1;
        if (runs === 1) await gate.promise;
      },
    });
    for (let index = 0; index < 10; index += 1) queue.add('a');
    await vi.waitFor(() => expect(runs).toBe(1));
    queue.add('a');
    gate.resolve();
    await vi.waitFor(() => expect(runs).toBe(2));
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(runs).toBe(2);
    await queue.close();
  });

  it('keeps to the concurrency and never runs one key twice at a time', async () => {
    let active = 0;
    let most = 0;
    const queue = createWorkQueue({
      ...ignoreErrors,
      concurrency: 3,
      work: async () => {
        active += 1;
        most = Math.max(most, active);
        await new Promise((resolve) => setTimeout(resolve, 5));
        active -= 1;
      },
    });
    for (let index = 0; index < 20; index += 1) queue.add(`key-${index}`);
    await vi.waitFor(() => expect(most).toBe(3));
    await queue.close();
    expect(active).toBe(0);
    expect(most).toBe(3);
  });

  it('retries a failure until it works', async () => {
    const seen: number[] = [];
    let runs = 0;
    const queue = createWorkQueue({
      concurrency: 1,
      backoffMinMs: 2,
      backoffMaxMs: 10,
      onError: (_key, _error, count) => seen.push(count),
      work: async () => {
        runs += 1;
        if (runs < 4) throw new Error('not yet');
        await Promise.resolve();
      },
    });
    queue.add('a');
    await vi.waitFor(() => expect(runs).toBe(4));
    expect(seen).toEqual([1, 2, 3]);
    await queue.close();
  });

  it('tells running work to end and starts nothing after close', async () => {
    let ended = false;
    const queue = createWorkQueue({
      ...ignoreErrors,
      concurrency: 1,
      work: (_key, signal) =>
        new Promise((resolve) => {
          signal.addEventListener('abort', () => {
            ended = true;
            resolve();
          });
        }),
    });
    queue.add('a');
    queue.add('b');
    queue.addAfter('c', 1);
    await new Promise((resolve) => setImmediate(resolve));
    await queue.close();
    expect(ended).toBe(true);
    queue.add('d');
    await queue.close();
  });
});
