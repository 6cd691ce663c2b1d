import type { SandboxReport } from '@sac/contracts';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, expect, it, vi } from 'vitest';
import { Reporter, type ReportContent } from './reporter.ts';

const stop = new AbortController();
afterEach(() => stop.abort());

it('tells changes at once, but not all of a program that flaps, and in the end what is so', async () => {
  let activity = 0;
  const sent: SandboxReport[] = [];
  // Which fields there are is of no interest here.
  const content = (): ReportContent => ({ activity }) as unknown as ReportContent;
  const reporter = new Reporter(content, async (report) => void sent.push(report));
  const done = reporter.run(stop.signal);
  await vi.waitFor(() => expect(sent).toHaveLength(1));
  for (let count = 0; count < 1_000; count += 1) {
    activity += 1;
    reporter.changed();
    await sleep(1);
  }
  expect(sent.length).toBeGreaterThan(5);
  expect(sent.length).toBeLessThan(40);
  await vi.waitFor(() => expect(sent.at(-1)).toMatchObject({ activity: 1_000 }));
  stop.abort();
  await done;
});
