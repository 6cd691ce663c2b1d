import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { Agent, ServerEvent } from '@sac/contracts';
import { sql } from 'kysely';
import { agentBody, createAgentsFixture, type AgentsFixture } from '../../../test/agents.ts';
import { verifyInternalCredential } from '../../lib/agent-keys.ts';
import type { AuthenticatedUser } from '../../lib/handlers.ts';
import { DELETION_GRACE_MS, UNDO_WINDOW_MS } from '../agents/lifetimes.ts';
import { countDemoAgents } from '../agents/records.ts';
import { createReconciler } from './reconciler.ts';

let fixture: AgentsFixture;
let ada: AuthenticatedUser;

beforeAll(async () => {
  fixture = await createAgentsFixture({ demo: { modelUrl: 'http://127.0.0.1:4711' } });
  ada = await fixture.person('ada');
});
afterAll(() => fixture.close());

const get = (agent: Agent) => fixture.call('getAgent', ada, { params: { agentId: agent.id } });
const open = async (changes = {}): Promise<Agent> => {
  const agent = await fixture.call('createAgent', ada, { body: agentBody(changes) });
  await fixture.call('openSession', ada, { body: { agentId: agent.id } });
  return agent;
};
const becomes = (agent: Agent, state: string, generation?: number) =>
  vi.waitFor(async () =>
    expect(await get(agent)).toMatchObject({ status: { state }, ...(generation !== undefined && { generation }) }),
  );
const ready = async (agent: Agent, generation = 1): Promise<void> => {
  await vi.waitFor(() =>
    expect(fixture.runtime.observed().get(agent.uid)).toMatchObject({ state: 'running', generation }),
  );
  expect(await fixture.report(agent.uid, generation)).toBe(204);
  await becomes(agent, 'ready', generation);
};
const demoProvider = {
  preset: 'demo',
  protocol: 'anthropic' as const,
  baseUrl: 'http://127.0.0.1:1',
  models: { main: null, strong: null, small: null },
};
const deleteRows = () => fixture.database.db.deleteFrom('agents').execute();
const free = async (): Promise<void> => {
  await deleteRows();
  for (const uid of fixture.runtime.observed().keys()) fixture.runtime.becomes(uid, 'gone');
};

describe('an agent', () => {
  it('answers at once, starts, becomes ready, and tells the browser each step once', async () => {
    const agent = await fixture.call('createAgent', ada, { body: agentBody({ name: 'First', providerToken: 'sk-1' }) });
    const { session, agent: answered } = await fixture.call('openSession', ada, { body: { agentId: agent.id } });
    expect(session.agentId).toBe(agent.id);
    expect(answered.status.state).toBe('starting');
    await ready(agent);
    const spec = fixture.runtime.specs.get(agent.uid);
    expect(spec).toMatchObject({ agentUid: agent.uid, generation: 1, providerToken: 'sk-1', agentName: 'First' });
    expect(verifyInternalCredential(fixture.keys.master, spec?.internalCredential ?? '')).toEqual({
      agentUid: agent.uid,
      generation: 1,
    });
    await fixture.report(agent.uid, 1, {
      activity: { state: 'working', since: new Date().toISOString(), text: 'Bash: ls' },
    });
    await becomes(agent, 'working');
    const told = await vi.waitFor(async () => {
      const events = (await fixture.events(ada)).filter(
        (event): event is Extract<ServerEvent, { type: 'agent' }> =>
          event.type === 'agent' && event.agent.id === agent.id,
      );
      expect(events.at(-1)?.agent.status).toMatchObject({ state: 'working', activity: 'Bash: ls' });
      return events.map((event) => event.agent);
    });
    const looks = told.map(({ revision: _, ...look }) => JSON.stringify(look));
    expect(new Set(looks).size).toBe(looks.length);
    const revisions = told.map(({ revision }) => revision);
    expect(revisions).toEqual([...new Set(revisions)].sort((a, b) => a - b));
    expect((await get(agent)).revision).toBe(revisions.at(-1));
    await free();
  });

  it('is started once, however many sessions are opened at the same time', async () => {
    fixture.runtime.calls.length = 0;
    const agent = await fixture.call('createAgent', ada, { body: agentBody() });
    const opened = await Promise.all(
      Array.from({ length: 8 }, () => fixture.call('openSession', ada, { body: { agentId: agent.id } })),
    );
    expect(new Set(opened.map(({ session }) => session.id)).size).toBe(8);
    await ready(agent);
    expect(fixture.runtime.calls).toEqual(['ensure 1']);
    await free();
  });

  it('is not disturbed by changes, says when a restart is due, and restarts when told', async () => {
    const agent = await open();
    await ready(agent);
    fixture.runtime.calls.length = 0;
    const update = (body: object) => fixture.call('updateAgent', ada, { params: { agentId: agent.id }, body });
    expect((await update({ name: 'Renamed', icon: 'bug', description: 'x' })).status.restartRequired).toBe(false);
    expect((await update({ instructions: 'New.' })).status).toMatchObject({ restartRequired: true, state: 'ready' });
    expect((await update({ instructions: '' })).status.restartRequired).toBe(false);
    expect(fixture.runtime.specs.get(agent.uid)?.recording).toEqual({ isOn: true, totalBytes: 16_777_216 });
    fixture.settings.recording = { isOn: false, totalBytes: 1_048_576 };
    expect((await get(agent)).status.restartRequired).toBe(false);
    expect((await update({ providerToken: 'other' })).status.restartRequired).toBe(true);
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(fixture.runtime.calls).toEqual([]);
    expect((await fixture.call('restartAgent', ada, { params: { agentId: agent.id } })).status.state).toBe('starting');
    await ready(agent, 2);
    expect((await get(agent)).status.restartRequired).toBe(false);
    expect(fixture.runtime.specs.get(agent.uid)).toMatchObject({
      providerToken: 'other',
      recording: fixture.settings.recording,
    });
    await free();
  });

  it('is recorded as it says itself, else as the system says; a change of its own waits for a restart', async () => {
    const agent = await open();
    await ready(agent);
    const update = (recordingMegabytes: number | null) =>
      fixture.call('updateAgent', ada, { params: { agentId: agent.id }, body: { recordingMegabytes } });
    const restarted = async (generation: number): Promise<unknown> => {
      await fixture.call('restartAgent', ada, { params: { agentId: agent.id } });
      await ready(agent, generation);
      return fixture.runtime.specs.get(agent.uid)?.recording;
    };
    expect(await update(4)).toMatchObject({ recordingMegabytes: 4, status: { restartRequired: true } });
    expect((await update(null)).status.restartRequired).toBe(false);
    await update(4);
    expect(await restarted(2)).toEqual({ isOn: true, totalBytes: 4 * 1024 * 1024 });
    await update(0);
    expect(await restarted(3)).toMatchObject({ isOn: false });
    await update(null);
    expect(await restarted(4)).toEqual(fixture.settings.recording);
    await free();
  });

  it('sleeps and wakes with a new generation', async () => {
    const agent = await open();
    await ready(agent);
    await fixture.call('sleepAgent', ada, { params: { agentId: agent.id } });
    await becomes(agent, 'asleep');
    await vi.waitFor(async () => {
      const last = (await fixture.events(ada)).findLast((event) => event.type === 'terminals');
      expect(last).toMatchObject({ agentId: agent.id, terminals: [] });
    });
    await fixture.call('openSession', ada, { body: { agentId: agent.id } });
    await ready(agent, 2);
    await vi.waitFor(async () => {
      const starts = await fixture.database.db
        .selectFrom('sandbox_starts')
        .select(['generation', 'result'])
        .where('agent_id', '=', agent.id)
        .orderBy('id')
        .execute();
      expect(starts).toEqual([
        { generation: 1, result: 'ended' },
        { generation: 2, result: 'running' },
      ]);
    });
    await free();
  });

  it('wakes also when the database is an older one than what sleeps', async () => {
    const agent = await open();
    await ready(agent);
    await fixture.call('sleepAgent', ada, { params: { agentId: agent.id } });
    await becomes(agent, 'asleep');
    fixture.runtime.lastGeneration = () => 7;
    await fixture.call('openSession', ada, { body: { agentId: agent.id } });
    await ready(agent, 8);
    delete fixture.runtime.lastGeneration;
    await free();
  });

  it('is mended when its sandbox ends by itself', async () => {
    const agent = await open();
    await ready(agent);
    fixture.runtime.becomes(agent.uid, 'gone');
    await ready(agent, 2);
    await free();
  });

  it('shows why and when it could not start and tries again only when told', async () => {
    fixture.runtime.ensureError = new Error('no space left');
    const agent = await open();
    await becomes(agent, 'failed');
    const { status } = await get(agent);
    expect(status.failure).toMatchObject({
      code: 'sandbox_start_failed',
      reason: expect.stringContaining('no space left') as string,
    });
    const failedAt = () =>
      fixture.database.db
        .selectFrom('agents')
        .select('start_failed_at')
        .where('id', '=', agent.id)
        .executeTakeFirstOrThrow();
    expect(await failedAt()).toEqual({ start_failed_at: new Date(status.since) });
    fixture.runtime.ensureError = null;
    fixture.runtime.calls.length = 0;
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(fixture.runtime.calls).toEqual([]);
    await fixture.call('restartAgent', ada, { params: { agentId: agent.id } });
    await becomes(agent, 'starting');
    await vi.waitFor(() => expect(fixture.runtime.observed().get(agent.uid)?.state).toBe('running'));
    expect(await failedAt()).toEqual({ start_failed_at: null });
    await free();
  });

  it('says that its API key has to be entered anew when the keys of the server are others, and then starts', async () => {
    const agent = await open({ providerToken: 'secret' });
    await ready(agent);
    await fixture.call('sleepAgent', ada, { params: { agentId: agent.id } });
    await becomes(agent, 'asleep');
    await fixture.database.db
      .updateTable('agent_secrets')
      .set({ sealed: Buffer.alloc(64) })
      .where('agent_id', '=', agent.id)
      .execute();
    await fixture.call('openSession', ada, { body: { agentId: agent.id } });
    await becomes(agent, 'failed');
    expect((await get(agent)).status.failure?.code).toBe('token_lost');
    await fixture.call('updateAgent', ada, { params: { agentId: agent.id }, body: { providerToken: 'another' } });
    await fixture.call('restartAgent', ada, { params: { agentId: agent.id } });
    await vi.waitFor(() => expect(fixture.runtime.specs.get(agent.uid)?.providerToken).toBe('another'));
    await free();
  });

  it('uses the address the demo model has now', async () => {
    const agent = await open({ provider: demoProvider });
    await ready(agent);
    expect(fixture.runtime.specs.get(agent.uid)).toMatchObject({
      providerToken: 'demo',
      provider: { baseUrl: 'http://127.0.0.1:4711' },
    });
    await free();
  });
});

describe('a deleted agent', () => {
  const age = (agent: Agent, ms: number) =>
    fixture.database.db
      .updateTable('agents')
      .set({ deleted_at: new Date(Date.now() - ms) })
      .where('id', '=', agent.id)
      .execute();
  const wake = (agent: Agent) =>
    fixture.database.db
      .selectNoFrom((eb) => eb.fn('pg_notify', [eb.val('sac_agents'), eb.val(agent.id)]).as('n'))
      .execute();

  it('runs on while undo is offered also where the clock of the replica is minutes ahead', async () => {
    const agent = await open();
    await ready(agent);
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 5 * 60_000 });
    try {
      await fixture.call('deleteAgent', ada, { params: { agentId: agent.id } });
      await new Promise((resolve) => setTimeout(resolve, 500));
      expect(fixture.runtime.observed().get(agent.uid)?.state).toBe('running');
    } finally {
      vi.useRealTimers();
    }
    await free();
  });

  it('runs on while undo is offered, then stops, then goes with everything', async () => {
    const agent = await open();
    await ready(agent);
    await fixture.call('deleteAgent', ada, { params: { agentId: agent.id } });
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(fixture.runtime.observed().get(agent.uid)?.state).toBe('running');
    expect(await fixture.call('restoreAgent', ada, { params: { agentId: agent.id } })).toMatchObject({
      generation: 1,
      status: { state: 'ready' },
    });
    await fixture.call('deleteAgent', ada, { params: { agentId: agent.id } });
    await age(agent, UNDO_WINDOW_MS + 1);
    await wake(agent);
    await vi.waitFor(() => expect(fixture.runtime.observed().has(agent.uid)).toBe(false));
    await age(agent, DELETION_GRACE_MS + 1);
    await wake(agent);
    await vi.waitFor(async () =>
      expect(await fixture.database.db.selectFrom('agents').select('id').where('id', '=', agent.id).execute()).toEqual(
        [],
      ),
    );
    expect(fixture.runtime.calls.at(-1)).toBe('remove');
  });
});

describe('a database that goes away', () => {
  it('disturbs nothing that runs, and all goes on when it is back', async () => {
    const agent = await open();
    await ready(agent);
    fixture.runtime.calls.length = 0;
    for (let round = 0; round < 3; round += 1) {
      await sql`select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()`.execute(
        fixture.database.db,
      );
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    expect(fixture.runtime.calls).toEqual([]);
    await vi.waitFor(() =>
      fixture.report(agent.uid, 1, { activity: { state: 'working', since: new Date().toISOString(), text: null } }),
    );
    await becomes(agent, 'working');
    await fixture.call('sleepAgent', ada, { params: { agentId: agent.id } });
    await becomes(agent, 'asleep');
    await vi.waitFor(async () => {
      const last = (await fixture.events(ada)).findLast(
        (event) => event.type === 'agent' && event.agent.id === agent.id,
      );
      expect(last).toMatchObject({ agent: { status: { state: 'asleep' } } });
    });
    await free();
  });
});

describe('a server that starts again', () => {
  const anotherReconciler = async (demo: AgentsFixture['settings']['demo']) =>
    createReconciler({
      db: fixture.database.db,
      runtime: fixture.runtime,
      keys: fixture.keys,
      demo,
      pods: null,
      recording: () => Promise.resolve(fixture.settings.recording),
      allowUnisolated: false,
      logger: (await import('pino')).default({ level: 'silent' }),
      notifications: { subscribe: () => () => undefined, close: () => Promise.resolve() },
      resyncMs: 50,
      leadership: { retryMs: 20, probeMs: 20 },
    });

  it('finds what runs and disturbs nothing; two servers have one leader', async () => {
    const agent = await open();
    await ready(agent);
    fixture.runtime.calls.length = 0;
    const second = await anotherReconciler(fixture.settings.demo);
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(fixture.runtime.calls).toEqual([]);
    expect(await get(agent)).toMatchObject({ generation: 1, status: { state: 'ready' } });
    await second.close();
    await free();
  });

  it('starts what failed for want of the demo model once it has it again', async () => {
    const { db } = fixture.database;
    const failureOf = (agent: Agent) =>
      db.selectFrom('agents').select('start_failure').where('id', '=', agent.id).executeTakeFirstOrThrow();
    await fixture.features.close();
    const without = await anotherReconciler(null);
    const agent = await open({ provider: demoProvider });
    await vi.waitFor(async () => expect(await failureOf(agent)).toMatchObject({ start_failure: { code: 'demo_off' } }));
    expect(await countDemoAgents(db)).toBe(1);
    await without.close();
    await fixture.features.start();
    await ready(agent);
    expect(await failureOf(agent)).toEqual({ start_failure: null });
    await free();
  });

  it('stops sandboxes of agents that no longer exist', async () => {
    const agent = await open();
    await ready(agent);
    await deleteRows();
    fixture.runtime.calls.length = 0;
    const { features } = fixture;
    await features.close();
    await features.start();
    await vi.waitFor(() => expect(fixture.runtime.observed().size).toBe(0));
    expect(fixture.runtime.calls).toContain('stop');
  });
});
