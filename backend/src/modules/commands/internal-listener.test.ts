import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Agent } from '@sac/contracts';
import { agentBody, createAgentsFixture, sandboxReport, type AgentsFixture } from '../../../test/agents.ts';
import { connectSidecar, done, type TestSidecar } from '../../../test/sidecar.ts';
import type { AuthenticatedUser } from '../../lib/handlers.ts';
import { backgroundCheck } from '../system/checks.ts';

let fixture: AgentsFixture;
let ada: AuthenticatedUser;
let bob: AuthenticatedUser;
let mine: Agent;
let theirs: Agent;
let sidecars: TestSidecar[] = [];

const running = async (user: AuthenticatedUser): Promise<Agent> => {
  const agent = await fixture.call('createAgent', user, { body: agentBody() });
  await fixture.call('openSession', user, { body: { agentId: agent.id } });
  await vi.waitFor(() => expect(fixture.runtime.observed().get(agent.uid)?.state).toBe('running'));
  expect(await fixture.report(agent.uid, 1)).toBe(204);
  return agent;
};
const connect = async (agent: Agent, generation = 1): Promise<TestSidecar> => {
  const sidecar = await connectSidecar(fixture.internalUrl, fixture.sidecar(agent.uid, generation));
  sidecars.push(sidecar);
  return sidecar;
};
const interrupt = (agent: Agent, user = ada) => fixture.call('interrupt', user, { params: { agentId: agent.id } });
const received = (sidecar: TestSidecar, count: number) =>
  vi.waitFor(() => expect(sidecar.commands).toHaveLength(count));

beforeAll(async () => {
  fixture = await createAgentsFixture();
  ada = await fixture.person('ada');
  bob = await fixture.person('bob');
});
beforeEach(async () => {
  fixture.settings.agentsPerUser = 100;
  mine = await running(ada);
  theirs = await running(bob);
});
afterEach(() => {
  for (const sidecar of sidecars) sidecar.disconnect();
  sidecars = [];
});
afterAll(() => fixture.close());

describe('command stream', () => {
  it('delivers what is queued, before and after the connection', async () => {
    await interrupt(mine);
    const sidecar = await connect(mine);
    await received(sidecar, 1);
    await interrupt(mine);
    await received(sidecar, 2);
    expect(sidecar.commands.map(({ kind }) => kind)).toEqual(['interrupt', 'interrupt']);
    expect(sidecar.heartbeats()).toBe(1);
  });

  it('delivers also what a replica queued whose clock is minutes behind', async () => {
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() - 5 * 60_000 });
    await interrupt(mine).finally(() => vi.useRealTimers());
    await received(await connect(mine), 1);
  });

  it('repeats after a reconnect what was not acknowledged, and only that', async () => {
    const first = await connect(mine);
    await interrupt(mine);
    await interrupt(mine);
    await received(first, 2);
    expect(await first.answer(first.commands[0]?.id ?? '', done)).toBe(204);
    first.disconnect();
    const second = await connect(mine);
    await received(second, 1);
    expect(second.commands[0]).toEqual(first.commands[1]);
  });

  it('settles what nobody took while somebody waited, so that health does not speak of it for ever', async () => {
    const { db } = fixture.database;
    await interrupt(mine);
    await db
      .updateTable('commands')
      .set({ expires_at: new Date(Date.now() - 10 * 60_000) })
      .where('agent_id', '=', mine.id)
      .execute();
    expect(await backgroundCheck(db, 'local').check()).toMatchObject({ state: 'warning' });
    await fixture.features.jobs.find(({ name }) => name === 'commands')?.run(db);
    expect(await backgroundCheck(db, 'local').check()).toMatchObject({ state: 'ok' });
    const sidecar = await connect(mine);
    await interrupt(mine);
    await received(sidecar, 1);
  });

  it('takes the same answer twice', async () => {
    const sidecar = await connect(mine);
    await interrupt(mine);
    await received(sidecar, 1);
    const id = sidecar.commands[0]?.id ?? '';
    expect([await sidecar.answer(id, done), await sidecar.answer(id, { outcome: 'failed', reason: 'late' })]).toEqual([
      204, 204,
    ]);
    expect(
      await fixture.database.db.selectFrom('commands').select('state').where('id', '=', id).executeTakeFirst(),
    ).toEqual({ state: 'done' });
  });

  it('ends the old connection of a sandbox when it connects again', async () => {
    const first = await connect(mine);
    const second = await connect(mine);
    await first.ended;
    await interrupt(mine);
    await received(second, 1);
    expect(first.commands).toEqual([]);
  });

  it('ends, and is refused, when the sandbox is replaced', async () => {
    const sidecar = await connect(mine);
    await fixture.call('restartAgent', ada, { params: { agentId: mine.id } });
    await vi.waitFor(() =>
      expect(fixture.runtime.observed().get(mine.uid)).toMatchObject({ generation: 2, state: 'running' }),
    );
    expect(await fixture.report(mine.uid, 1)).toBe(409);
    expect(await fixture.report(mine.uid, 2)).toBe(204);
    await sidecar.ended;
    await expect(connect(mine, 1)).rejects.toThrow('409');
    await connect(mine, 2);
  });
});

describe('a stranger', () => {
  it('gets no command of another sandbox and cannot answer one', async () => {
    const [ours, stranger] = [await connect(mine), await connect(theirs)];
    await interrupt(mine);
    await received(ours, 1);
    const id = ours.commands[0]?.id ?? '';
    expect(await stranger.answer(id, done)).toBe(404);
    expect(stranger.commands).toEqual([]);
    expect(
      await fixture.database.db.selectFrom('commands').select('state').where('id', '=', id).executeTakeFirst(),
    ).toEqual({ state: 'pending' });
  });

  it.each([
    ['no credential', ''],
    ['a word', 'Bearer hello'],
    ['another scheme', 'Basic YTpi'],
    ['a long header', `Bearer ${'x'.repeat(5_000)}`],
  ])('is refused with %s on every route, before its body is read', async (_name, authorization) => {
    for (const [method, url] of [
      ['GET', '/internal/commands'],
      ['POST', '/internal/commands/1/result'],
      ['POST', '/internal/report'],
      ['GET', '/internal/uploads/abc'],
    ] as const) {
      const answer = await fixture.internal.inject({
        method,
        url,
        headers: { authorization, 'content-type': 'application/json' },
        ...(method === 'POST' && { payload: '{not json' }),
      });
      expect(answer.statusCode).toBe(401);
    }
  });

  it('is refused with the credential of an agent that is gone', async () => {
    const headers = fixture.sidecar(mine.uid, 1);
    await fixture.database.db.deleteFrom('agents').where('id', '=', mine.id).execute();
    expect(
      (await fixture.internal.inject({ method: 'POST', url: '/internal/report', headers, payload: sandboxReport() }))
        .statusCode,
    ).toBe(401);
  });
});

describe('reports', () => {
  const post = (payload: object) =>
    fixture.internal.inject({
      method: 'POST',
      url: '/internal/report',
      headers: fixture.sidecar(mine.uid, 1),
      payload,
    });
  const activity = (state: 'ready' | 'working') => ({ state, since: new Date().toISOString(), text: null });
  const stored = async () =>
    (
      await fixture.database.db
        .selectFrom('sandbox_reports')
        .select('report')
        .where('agent_id', '=', mine.id)
        .executeTakeFirstOrThrow()
    ).report.activity.state;

  it('keep the newest of one sidecar, whatever the order of arrival', async () => {
    await post(sandboxReport({ sequence: 1_000_000, activity: activity('working') }));
    await post(sandboxReport({ sequence: 999_999, activity: activity('ready') }));
    expect(await stored()).toBe('working');
    await post(sandboxReport({ sidecarId: 'its successor', sequence: 1, activity: activity('ready') }));
    expect(await stored()).toBe('ready');
  });

  it('may have fields of a newer sidecar, and are refused when what we know is wrong', async () => {
    expect((await post({ ...sandboxReport(), invented: { later: true } })).statusCode).toBe(204);
    expect((await post({ ...sandboxReport(), terminals: 'none' })).statusCode).toBe(400);
    expect((await post({ ...sandboxReport(), terminals: Array.from({ length: 17 }, () => ({})) })).statusCode).toBe(
      400,
    );
  });

  it('are bounded', async () => {
    expect((await post({ ...sandboxReport(), padding: 'x'.repeat(300_000) })).statusCode).toBe(413);
  });
});

describe('results', () => {
  it.each(['0', '-1', '1e9', 'abc', '99999999999999999999'])('for the id %j are refused', async (id) => {
    const answer = await fixture.internal.inject({
      method: 'POST',
      url: `/internal/commands/${id}/result`,
      headers: fixture.sidecar(mine.uid, 1),
      payload: done,
    });
    expect(answer.statusCode).toBe(404);
  });

  it('that are no results are refused', async () => {
    const answer = await fixture.internal.inject({
      method: 'POST',
      url: '/internal/commands/1/result',
      headers: fixture.sidecar(mine.uid, 1),
      payload: { outcome: 'maybe' },
    });
    expect(answer.statusCode).toBe(400);
  });
});
