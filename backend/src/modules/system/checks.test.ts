import pino from 'pino';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTestGateway, type TestGateway } from '../../../test/gateway.ts';
import { createDatabase } from '../../db/database.ts';
import { createNotificationHub } from '../../db/listen.ts';
import { backgroundCheck, databaseCheck, notificationsCheck, sandboxesCheck } from './checks.ts';
import { askAll } from './health-check.ts';

let test: TestGateway;
beforeAll(async () => {
  test = await createTestGateway();
});
afterAll(() => test.close());

const logger = pino({ level: 'silent' });
/** Nobody listens there. */
const NOWHERE = 'postgres://nobody@127.0.0.1:1/nothing';

const part = async (name: string) => {
  const { parts } = (await (await test.admin()).call('adminHealth')).body;
  const found = parts.find((entry) => entry.name === name);
  if (found === undefined) throw new Error(`no part ${name}`);
  return found;
};

describe('what an admin is told', () => {
  it('is that all is well, part by part, without a fix', async () => {
    const { parts } = (await (await test.admin()).call('adminHealth')).body;
    expect(parts.map(({ name, state, fix }) => [name, state, fix])).toEqual(
      ['database', 'notifications', 'background work', 'isolation', 'sandboxes'].map((name) => [name, 'ok', null]),
    );
  });

  it('says that the database does not answer', async () => {
    const db = createDatabase({ url: NOWHERE, logger });
    expect(await databaseCheck(db, 'local').check()).toMatchObject({
      state: 'failed',
      fix: expect.stringContaining('make restart SVC=db') as string,
    });
    await db.destroy();
  });

  it('says that notifications do not arrive', async () => {
    const notifications = createNotificationHub({ url: NOWHERE, logger });
    expect(await notificationsCheck(test.db, notifications, 'kubernetes').check()).toMatchObject({
      state: 'failed',
      detail: expect.stringContaining('2 s') as string,
      fix: expect.stringContaining('kubectl') as string,
    });
    await notifications.close();
  });

  it('says that events pile up', async () => {
    const { id = '' } = (await test.admin()).user ?? {};
    const event = JSON.stringify({ type: 'agent-deleted', agentId: '1' });
    const created_at = new Date(Date.now() - 3 * 3_600_000);
    await test.db
      .insertInto('outbox')
      .values([
        { user_id: id, event, created_at },
        { user_id: id, event },
      ])
      .execute();
    expect(await backgroundCheck(test.db, 'kubernetes').check()).toMatchObject({
      state: 'warning',
      detail: expect.stringContaining('1 should have been deleted') as string,
      fix: expect.stringContaining('kubectl') as string,
    });
    expect((await backgroundCheck(test.db, 'local').check()).fix).toContain('make restart SVC=api');
    await test.db.deleteFrom('outbox').execute();
    expect((await backgroundCheck(test.db, 'kubernetes').check()).state).toBe('ok');
  });

  it('says that sandboxes are not isolated, and who may run them', async () => {
    test.runtime.isolationNow = { isolated: false, reason: 'no bubblewrap', fix: 'install it' };
    expect(await part('isolation')).toMatchObject({
      state: 'warning',
      detail: expect.stringContaining('Only admins') as string,
      fix: 'install it',
    });
    test.runtime.isolationNow = { isolated: true, reason: null, fix: null };
  });

  it('says that a check hangs or fails, and goes on with the others', async () => {
    const parts = await askAll([
      { name: 'hangs', check: () => new Promise(() => undefined) },
      { name: 'fails', check: () => Promise.reject(new Error('secret detail')) },
      { name: 'fine', check: async () => ({ state: 'ok', detail: '', fix: null }) },
    ]);
    expect(parts.map(({ state }) => state)).toEqual(['failed', 'failed', 'ok']);
    expect(parts[0]?.detail).toContain('3 s');
    expect(JSON.stringify(parts)).not.toContain('secret');
  });
});

describe('sandboxes', () => {
  const observed = (uid: string, state: 'running' | 'failed', ageMs: number) => ({
    agentUid: uid,
    generation: 1,
    specHash: '',
    state,
    since: new Date(Date.now() - ageMs),
    phases: [],
    failure: state === 'failed' ? { code: 'spawn_failed', reason: 'r', fix: 'do that', output: null } : null,
    upstream: null,
  });
  const check = (...sandboxes: ReturnType<typeof observed>[]) =>
    sandboxesCheck(test.db, {
      kind: 'kubernetes',
      observed: () => new Map(sandboxes.map((sandbox) => [sandbox.agentUid, sandbox as never])),
    }).check();
  const newAgent = async (name: string, receivedAt: Date | null): Promise<string> => {
    const { id = '' } = (await test.admin()).user ?? {};
    const agent = await test.db
      .insertInto('agents')
      .values({ owner_id: id, name, icon: 'x', cli: 'shell', proxy: '{}', generation: 1 })
      .returning(['id', 'uid'])
      .executeTakeFirstOrThrow();
    if (receivedAt !== null) {
      const row = {
        agent_id: agent.id,
        generation: 1,
        sidecar_id: 's',
        sequence: 1,
        report: '{}',
        received_at: receivedAt,
      };
      await test.db.insertInto('sandbox_reports').values(row).execute();
    }
    return agent.uid;
  };

  it('that say nothing any more are named; those that just began are not', async () => {
    const lively = await newAgent('lively', new Date());
    const silent = await newAgent('silent', new Date(Date.now() - 600_000));
    const never = await newAgent('never', null);
    expect(await check(observed(lively, 'running', 600_000), observed(never, 'running', 1_000))).toMatchObject({
      state: 'ok',
      detail: '2 there, 2 running.',
    });
    const { state, detail, fix } = await check(
      observed(silent, 'running', 600_000),
      observed(never, 'running', 600_000),
    );
    expect(state).toBe('warning');
    expect(detail).toContain('2 silent');
    expect(detail).toContain(silent);
    expect(fix).toContain('kubectl logs');
  });

  it('that failed are counted, with what to do', async () => {
    const uid = await newAgent('broken', null);
    expect(await check(observed(uid, 'failed', 0))).toMatchObject({
      state: 'warning',
      detail: `1 there, 0 running, 1 failed (${uid}: spawn_failed).`,
      fix: 'do that',
    });
  });
});
