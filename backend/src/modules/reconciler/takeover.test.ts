import pino from 'pino';
import { Registry } from 'prom-client';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { agentBody, createAgentsFixture, type AgentsFixture } from '../../../test/agents.ts';
import { createNotificationHub } from '../../db/listen.ts';
import { createReconciler } from './reconciler.ts';

const AGENTS = 80;
const WAIT = { timeout: 30_000, interval: 20 };

describe('a server that takes the lead', () => {
  let fixture: AgentsFixture;

  beforeAll(async () => {
    fixture = await createAgentsFixture();
    fixture.settings.agentsPerUser = AGENTS;
  });
  afterAll(() => fixture.close());

  it('first sees to the agents that wait for something, then looks at all others', async () => {
    const ada = await fixture.person('ada');
    const ids: string[] = [];
    for (let index = 0; index < AGENTS; index += 1)
      ids.push((await fixture.call('createAgent', ada, { body: agentBody({ cli: 'shell', provider: null }) })).id);
    // All are told of; then nobody leads, and the last one is asked for.
    const untold = async () =>
      fixture.database.db.selectFrom('agents').select('id').where('published_agent', 'is', null).execute();
    await vi.waitFor(async () => expect(await untold()).toEqual([]), WAIT);
    await fixture.features.close();
    await fixture.call('openSession', ada, { body: { agentId: ids.at(-1) } });

    const { database, runtime, keys } = fixture;
    const logger = pino({ level: 'silent' });
    const registry = new Registry();
    const notifications = createNotificationHub({ url: database.url, logger });
    const reconciler = createReconciler({
      ...{ db: database.db, notifications, runtime, keys, logger, registry },
      ...{ demo: null, pods: null, allowUnisolated: false, resyncMs: 600_000 },
      recording: () => Promise.resolve({ isOn: false, totalBytes: 0 }),
      leadership: { retryMs: 20, probeMs: 1_000 },
    });
    const steps = async (): Promise<number> => {
      const text = await registry.metrics();
      return Number(/^sac_reconciler_work_duration_seconds_count\{queue="agents"\} (\d+)$/m.exec(text)?.[1] ?? 0);
    };
    try {
      await vi.waitFor(() => expect(runtime.calls).toContain('ensure 1'), WAIT);
      expect(await steps()).toBeLessThan(AGENTS / 2);
      await vi.waitFor(async () => expect(await steps()).toBeGreaterThanOrEqual(AGENTS), WAIT);
    } finally {
      await reconciler.close();
      await notifications.close();
    }
  });
});
