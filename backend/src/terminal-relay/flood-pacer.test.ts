import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Flow, FloodPacer, READ_SIZES } from './flood-pacer.ts';
import { RelayMetrics } from './metrics.ts';

const KIBIBYTE = 1_024;
let metrics: RelayMetrics;
let pacer: FloodPacer;
beforeEach(() => {
  metrics = new RelayMetrics();
  pacer = new FloodPacer(metrics);
});
afterEach(() => {
  pacer.stop();
  vi.useRealTimers();
});

const flowOf = (person: string, resume: () => void = () => undefined): Flow =>
  new Flow(pacer.join(person), READ_SIZES.unix, resume);

/** Makes it a flood: a whole window of it, then the read that is looked at. */
const flood = (flow: Flow, byteCount: number, nowMs = 1_000): boolean => {
  pacer.mayReadOn(flow, 40 * KIBIBYTE, nowMs - 20);
  return pacer.mayReadOn(flow, byteCount, nowMs);
};

describe('a quiet connection', () => {
  it.each([
    ['keys', 20, 1],
    ['40 KB/s', 4 * KIBIBYTE, 100],
    ['1 MB/s', 10 * KIBIBYTE, 10],
  ])('with %s is never put off', (_name, byteCount, everyMs) => {
    const flow = flowOf('ada');
    for (let atMs = 0; atMs < 2_000; atMs += everyMs) expect(pacer.mayReadOn(flow, byteCount, atMs)).toBe(true);
    expect(metrics.pacedReads).toBe(0);
  });

  it('is not put off by a single redraw of the screen', () => {
    const flow = flowOf('ada');
    expect(pacer.mayReadOn(flow, 200 * KIBIBYTE, 2_000)).toBe(true);
    expect(pacer.mayReadOn(flow, 100, 3_000)).toBe(true);
  });

  it('is not put off after a flood that has ended', () => {
    const flow = flowOf('ada');
    expect(flood(flow, 40 * KIBIBYTE)).toBe(false);
    expect(pacer.mayReadOn(flow, 1, 1_500)).toBe(true);
  });
});

describe('the delay of a flood', () => {
  /** Milliseconds that the last of so many reads is followed by a pause. */
  const delayOf = (byteCount: number, reads: number): number => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'setImmediate', 'clearTimeout', 'clearImmediate', 'performance'] });
    const resumedAt: number[] = [];
    const flow = flowOf('ada', () => resumedAt.push(performance.now()));
    const readAt: number[] = [];
    pacer.mayReadOn(flow, 40 * KIBIBYTE, performance.now());
    for (let read = 0; read < reads; read += 1) {
      vi.advanceTimersByTime(20);
      readAt.push(performance.now());
      // Enough in each window to be a flood, whatever the size of a read.
      flow.windowBytes = 200 * KIBIBYTE;
      expect(pacer.mayReadOn(flow, byteCount, performance.now())).toBe(false);
    }
    vi.advanceTimersByTime(20);
    expect(resumedAt).toHaveLength(reads);
    return (resumedAt.at(-1) ?? 0) - (readAt.at(-1) ?? 0);
  };

  it('grows while reads bring little, and has an end', () => {
    expect(delayOf(8 * KIBIBYTE, 1)).toBeLessThanOrEqual(2);
    expect(delayOf(8 * KIBIBYTE, 2)).toBeGreaterThanOrEqual(2);
    expect(delayOf(8 * KIBIBYTE, 10)).toBeGreaterThanOrEqual(8);
    expect(delayOf(8 * KIBIBYTE, 10)).toBeLessThanOrEqual(9);
  });

  it('stays short while reads bring enough', () => {
    expect(delayOf(120 * KIBIBYTE, 10)).toBeLessThanOrEqual(2);
  });

  it('is none when a read may have filled what the sender can have on its way', () => {
    expect(delayOf(448 * KIBIBYTE, 10)).toBeLessThanOrEqual(1);
  });
});

/** Runs floods that always have more for some turns; bytes by person. */
const contend = async (
  connections: Readonly<Record<string, number>>,
  byteCount: number,
): Promise<Record<string, number>> => {
  const bytes: Record<string, number> = {};
  let reads = 0;
  const done = Promise.withResolvers<void>();
  for (const [person, count] of Object.entries(connections)) {
    for (let index = 0; index < count; index += 1) {
      const flow: Flow = flowOf(person, () => {
        // As the event loop does it: resumed now, read in the next turn.
        setImmediate(() => {
          if (reads >= 2_000) return;
          reads += 1;
          bytes[person] = (bytes[person] ?? 0) + byteCount;
          if (reads === 2_000) done.resolve();
          else if (pacer.mayReadOn(flow, byteCount, performance.now())) flow.resume();
        });
      });
      if (flood(flow, byteCount, performance.now())) flow.resume();
    }
  }
  await done.promise;
  return bytes;
};

describe('people who flood at once', () => {
  it('get the same, whatever the number of their connections', async () => {
    const { ada = 0, bob = 0 } = await contend({ ada: 40, bob: 1 }, 448 * KIBIBYTE);
    expect(ada / bob).toBeLessThan(1.5);
    expect(bob / ada).toBeLessThan(1.5);
    expect(metrics.budgetWaits).toBeGreaterThan(100);
  });

  it('get the same also when there are more of them than reads in a turn', async () => {
    const bytes = await contend(
      { ada: 50, ...Object.fromEntries([...'abcdefghijklmnopqrst'].map((name) => [name, 1])) },
      448 * KIBIBYTE,
    );
    const all = Object.values(bytes);
    expect(all).toHaveLength(21);
    expect(Math.max(...all) / Math.min(...all)).toBeLessThan(1.5);
  });

  it('do not wait for a budget while there is enough for all', async () => {
    const flows = ['ada', 'bob'].map((person) => flowOf(person));
    for (const flow of flows) expect(flood(flow, 20 * KIBIBYTE)).toBe(false);
    await new Promise((resolve) => setTimeout(resolve, 30));
    expect(metrics.budgetWaits).toBe(0);
  });

  it('all get their turn', async () => {
    let resumed = 0;
    const flows = Array.from({ length: 100 }, (_, index) => flowOf(`p${index % 7}`, () => (resumed += 1)));
    for (const flow of flows) flood(flow, 20 * KIBIBYTE);
    await vi.waitFor(() => expect(resumed).toBe(100));
  });
});

describe('the pacer', () => {
  it('forgets people without a connection', () => {
    const first = pacer.join('ada');
    expect(pacer.join('ada')).toBe(first);
    pacer.leave('ada');
    expect(pacer.join('ada')).toBe(first);
    pacer.leave('ada');
    pacer.leave('ada');
    expect(pacer.join('ada')).not.toBe(first);
  });

  it('resumes nobody after it was stopped', async () => {
    let resumed = 0;
    const flow = flowOf('ada', () => (resumed += 1));
    flood(flow, 20 * KIBIBYTE);
    pacer.stop();
    await new Promise((resolve) => setTimeout(resolve, 30));
    expect(resumed).toBe(0);
  });
});
