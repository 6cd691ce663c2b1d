import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Heartbeat } from './heartbeat.ts';

describe('heartbeat', () => {
  let sent: Uint8Array[];
  let silent: number;
  let heartbeat: Heartbeat;

  beforeEach(() => {
    vi.useFakeTimers();
    [sent, silent] = [[], 0];
    heartbeat = new Heartbeat({
      send: (payload) => sent.push(payload),
      onRoundTrip: () => undefined,
      onSilent: () => (silent += 1),
      now: () => performance.now(),
    });
    heartbeat.start();
    heartbeat.onReply(sent[0] ?? new Uint8Array());
  });
  afterEach(() => {
    heartbeat.stop();
    vi.useRealTimers();
  });

  it('gives up a probe after three seconds of silence', () => {
    heartbeat.probe();
    vi.advanceTimersByTime(2_900);
    expect(silent).toBe(0);
    vi.advanceTimersByTime(200);
    expect(silent).toBe(1);
  });

  it('waits on while output arrives before the reply, and gives up when that ends too', () => {
    heartbeat.probe();
    for (let second = 0; second < 30; second += 1) {
      vi.advanceTimersByTime(1_000);
      heartbeat.heard();
    }
    expect(silent).toBe(0);
    vi.advanceTimersByTime(14_000);
    expect(silent).toBe(0);
    vi.advanceTimersByTime(2_000);
    expect(silent).toBe(1);
  });

  it('takes what came before the question for no answer', () => {
    heartbeat.heard();
    vi.advanceTimersByTime(10);
    heartbeat.probe();
    vi.advanceTimersByTime(3_100);
    expect(silent).toBe(1);
  });
});
