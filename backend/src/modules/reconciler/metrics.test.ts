import { Registry } from 'prom-client';
import { describe, expect, it } from 'vitest';
import { createWorkQueue } from '../../lib/work-queue.ts';
import type { ObservedSandbox } from '../../runtimes/runtime.ts';
import { createReconcilerMetrics } from './metrics.ts';

const sandbox = (state: ObservedSandbox['state'], generation = 1): ObservedSandbox => ({
  agentUid: 'a',
  generation,
  specHash: '',
  state,
  since: new Date(),
  phases: [],
  failure: null,
  upstream: null,
});

describe('the reconciler tells', () => {
  it('each start once, with how it ended', async () => {
    const registry = new Registry();
    const { seen } = createReconcilerMetrics(registry);
    // Found running, or put to sleep while it starts: no end of a start that was seen from its beginning.
    for (const state of ['running', 'stopping', 'gone', 'starting', 'stopping', 'gone'] as const) seen(sandbox(state));
    for (const state of ['starting', 'starting', 'running', 'running'] as const) seen(sandbox(state, 2));
    for (const state of ['starting', 'failed'] as const) seen(sandbox(state, 3));
    const text = await registry.metrics();
    expect(text).toContain('sac_sandbox_start_duration_seconds_count{outcome="running"} 1');
    expect(text).toContain('sac_sandbox_start_duration_seconds_count{outcome="failed"} 1');
  });

  it('how much waits, how long steps take and how many fail', async () => {
    const registry = new Registry();
    const metrics = createReconcilerMetrics(registry);
    const held = Promise.withResolvers<void>();
    const work = metrics.timed('agents', async (key) => {
      await held.promise;
      if (key === 'bad') throw new Error('no');
    });
    const agents = createWorkQueue({ work, onError: () => undefined, concurrency: 1, backoffMinMs: 60_000 });
    metrics.show({ agents }, () => true);
    for (const key of ['bad', 'good', 'other']) agents.add(key);
    expect(await registry.metrics()).toContain('sac_reconciler_queue_depth{queue="agents"} 2');
    held.resolve();
    const until = Date.now() + 20_000;
    while (!(await registry.metrics()).includes('duration_seconds_count{queue="agents"} 3'))
      if (Date.now() > until) throw new Error('three steps have not ended');
    const text = await registry.metrics();
    expect(text).toContain('sac_reconciler_failures_total{queue="agents"} 1');
    expect(text).toContain('sac_reconciler_leads 1');
    await agents.close();
  });
});
