import { setTimeout as delay } from 'node:timers/promises';
import { sql } from 'kysely';
import pino from 'pino';
import { Registry } from 'prom-client';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { agentBody, createAgentsFixture, type AgentsFixture } from '../../../test/agents.ts';
import { createNotificationHub } from '../../db/listen.ts';
import type { AuthenticatedUser } from '../../lib/handlers.ts';
import { createReconciler } from './reconciler.ts';

/** Longer than the test: who held the lead does not hear that it is lost. */
const DEAF_MS = 600_000;
/** Several resyncs of both. */
const QUIET_MS = 1_000;
/** A fight of the two would soon take more. */
const MOST_STEPS = 6;
const WAIT = { timeout: 20_000, interval: 20 };

describe('two servers that both think they lead', () => {
  let fixture: AgentsFixture;
  let ada: AuthenticatedUser;
  let agent: { id: string; uid: string };
  const ends: (() => Promise<void>)[] = [];
  const leads: (() => Promise<boolean>)[] = [];

  /** Takes the lead from whoever has it, without that one noticing. */
  const takeLead = async (): Promise<void> => {
    const { database, runtime, keys } = fixture;
    const logger = pino({ level: 'silent' });
    const registry = new Registry();
    const notifications = createNotificationHub({ url: database.url, logger });
    const reconciler = createReconciler({
      db: database.db,
      notifications,
      runtime,
      keys,
      demo: null,
      pods: null,
      recording: () => Promise.resolve({ isOn: false, totalBytes: 0 }),
      allowUnisolated: false,
      logger,
      registry,
      resyncMs: 200,
      leadership: { retryMs: 20, probeMs: DEAF_MS },
    });
    ends.push(async () => {
      await reconciler.close();
      await notifications.close();
    });
    const isLeader = async (): Promise<boolean> => /^sac_reconciler_leads 1$/m.test(await registry.metrics());
    await sql`
      select pg_terminate_backend(pid) from pg_locks
      where locktype = 'advisory' and database = (select oid from pg_database where datname = current_database())
    `.execute(database.db);
    await vi.waitFor(async () => expect(await isLeader()).toBe(true), WAIT);
    leads.push(isLeader);
  };

  beforeAll(async () => {
    fixture = await createAgentsFixture({ start: false });
    await takeLead();
    await takeLead();
    ada = await fixture.person('ada');
    agent = await fixture.call('createAgent', ada, { body: agentBody() });
  });
  afterAll(async () => {
    for (const end of ends) await end();
    await fixture.close();
  });

  const params = () => ({ params: { agentId: agent.id } });
  const wake = () => fixture.call('openSession', ada, { body: { agentId: agent.id } });
  const sleep = () => fixture.call('sleepAgent', ada, params());
  const restart = () => fixture.call('restartAgent', ada, params());
  const stored = async () => (await fixture.call('getAgent', ada, params())).generation;
  const snapshot = () => ({ observed: fixture.runtime.observed().get(agent.uid), calls: fixture.runtime.calls.length });
  /** It runs in the stored generation, and nothing more is done about it. Answers how much was done until then. */
  const settles = async (): Promise<number> => {
    const from = fixture.runtime.calls.length;
    await vi.waitFor(
      async () => {
        const before = snapshot();
        expect(before.observed).toMatchObject({ state: 'running', generation: await stored() });
        await delay(QUIET_MS);
        expect(snapshot()).toEqual(before);
      },
      { timeout: 30_000 },
    );
    return fixture.runtime.calls.length - from;
  };

  // Between storing a start and making it the other one may store the next: once too often, never on and on.
  it('start an agent, and then leave it alone', async () => {
    await wake();
    expect(await settles()).toBeLessThanOrEqual(MOST_STEPS);
    expect(await Promise.all(leads.map((isLeader) => isLeader()))).toEqual([true, true]);
  });

  it('restart it, and then leave it alone', async () => {
    const before = await stored();
    await restart();
    expect(await settles()).toBeLessThanOrEqual(MOST_STEPS);
    expect(await stored()).toBeGreaterThan(before);
  });

  it('end where the last wish is, whatever came before', async () => {
    for (const wish of [sleep, wake, restart, sleep, wake, restart]) {
      await wish();
      await delay(20);
    }
    expect(await settles()).toBeLessThanOrEqual(6 * MOST_STEPS);
    await sleep();
    await vi.waitFor(() => expect(fixture.runtime.observed().has(agent.uid)).toBe(false), WAIT);
    await delay(QUIET_MS);
    expect(fixture.runtime.observed().has(agent.uid)).toBe(false);
    expect(await Promise.all(leads.map((isLeader) => isLeader()))).toEqual([true, true]);
  });
});
