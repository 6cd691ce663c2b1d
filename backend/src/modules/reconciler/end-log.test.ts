import { describe, expect, it } from 'vitest';
import type { ObservedSandbox } from '../../runtimes/runtime.ts';
import { createEndLog } from './end-log.ts';

const running = (generation: number): ObservedSandbox => ({
  agentUid: 'u',
  generation,
  specHash: '',
  state: 'running',
  since: new Date(0),
  phases: [],
  failure: null,
  upstream: null,
});

describe('end log', () => {
  it('knows nothing of sandboxes it never saw: a server that starts after a reboot starts them at once', () => {
    expect(createEndLog().note('u', 3)).toEqual({ unexpected: false, giveUp: false, waitMs: 0 });
  });

  it('mends the first end at once, then waits longer each time, then gives up', () => {
    let nowMs = 0;
    const log = createEndLog(() => nowMs);
    const waits: number[] = [];
    for (let generation = 1; ; generation += 1) {
      log.seen('u', running(generation));
      const { unexpected, giveUp, waitMs } = log.note('u', generation);
      expect(unexpected).toBe(true);
      if (giveUp) break;
      waits.push(waitMs);
      nowMs += waitMs;
      expect(log.note('u', generation)).toEqual({ unexpected: false, giveUp: false, waitMs: 0 });
    }
    expect(waits).toEqual([0, 2_000, 8_000, 32_000]);
    expect(log.note('u', 9)).toEqual({ unexpected: false, giveUp: false, waitMs: 0 });
  });

  it('forgets ends of long ago, and everything when told', () => {
    let nowMs = 0;
    const log = createEndLog(() => nowMs);
    for (let generation = 1; generation <= 20; generation += 1) {
      log.seen('u', running(generation));
      expect(log.note('u', generation)).toMatchObject({ giveUp: false, waitMs: 0 });
      nowMs += 11 * 60_000;
    }
    log.seen('u', running(21));
    log.forget('u');
    expect(log.note('u', 21).unexpected).toBe(false);
  });
});
