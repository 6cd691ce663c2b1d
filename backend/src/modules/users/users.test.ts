import { noPodLimits, noPodValues } from '@sac/contracts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTestGateway, PASSWORD, type TestGateway } from '../../../test/gateway.ts';

let test: TestGateway;
beforeAll(async () => {
  test = await createTestGateway();
});
afterAll(() => test.close());

describe('accounts', () => {
  it('are listed page by page, searched and counted', async () => {
    const admin = await test.admin();
    for (const name of ['anna', 'bert', 'carl', 'dora']) await test.person(name);
    const names: string[] = [];
    let cursor: string | null = null;
    do {
      const page: Awaited<ReturnType<typeof admin.call<'listUsers'>>> = await admin.call('listUsers', {
        query: { limit: '2', ...(cursor === null ? {} : { cursor }) },
      });
      expect(page.body.total).toBe(5);
      names.push(...page.body.users.map((user) => user.username));
      cursor = page.body.nextCursor;
    } while (cursor !== null);
    expect(names).toEqual(['anna', 'bert', 'carl', 'dora', 'root']);
    const found = await admin.call('listUsers', { query: { search: 'ER' } });
    expect(found.body.users.map((user) => user.username)).toEqual(['bert']);
    expect(found.body.users[0]).toMatchObject({ agentCount: 0, role: 'user' });
    expect(JSON.stringify(found.body)).not.toContain('password');
    expect((await admin.call('listUsers', { query: { search: '%' } })).body.total).toBe(0);
  });

  it.each([
    { limit: '0' },
    { limit: '101' },
    { limit: 'many' },
    { cursor: 'a' },
    { cursor: "'; drop table" },
    { search: 'x'.repeat(81) },
    { page: '2' },
  ])('refuses the query %j', async (query) => {
    expect((await (await test.admin()).call('listUsers', { query: query as Record<string, string> })).error.code).toBe(
      'invalid_request',
    );
  });

  it('has an answer for NUL in a search', async () => {
    expect((await (await test.admin()).call('listUsers', { query: { search: 'a\u0000b' } })).error.code).toBe(
      'invalid_request',
    );
  });

  it('are nothing for people who are not admins', async () => {
    const person = await test.person('plain');
    const nobody = test.browser();
    for (const name of ['listUsers', 'listInvites', 'getSettings', 'adminHealth'] as const) {
      expect((await person.call(name)).error.code).toBe('forbidden');
      expect((await nobody.call(name)).error.code).toBe('unauthenticated');
    }
    const params = { userId: person.user?.id ?? '' };
    expect((await person.call('updateUser', { params, body: { role: 'admin' } })).error.code).toBe('forbidden');
    expect((await person.call('createInvite', { body: { role: 'admin', expiresInHours: 1 } })).error.code).toBe(
      'forbidden',
    );
    expect((await person.call('updateSettings', { body: { registration: 'open' } })).error.code).toBe('forbidden');
  });

  it('lose their sessions at once when they are disabled, and can come back', async () => {
    const admin = await test.admin();
    const person = await test.person('paused');
    const params = { userId: person.user?.id ?? '' };
    expect((await admin.call('updateUser', { params, body: { status: 'disabled' } })).body.status).toBe('disabled');
    expect((await person.call('me')).error.code).toBe('unauthenticated');
    expect((await person.call('refresh', { body: {} })).error.code).toBe('unauthenticated');
    expect((await admin.call('updateUser', { params, body: { status: 'active' } })).body.status).toBe('active');
  });

  it('become admins at once, and lose their sessions when they stop being one', async () => {
    const admin = await test.admin();
    const person = await test.person('climber');
    const params = { userId: person.user?.id ?? '' };
    await admin.call('updateUser', { params, body: { role: 'admin' } });
    expect((await person.call('listUsers')).status).toBe(200);
    await admin.call('updateUser', { params, body: { role: 'user' } });
    expect((await person.call('listUsers')).error.code).toBe('unauthenticated');
  });

  it('cannot come back through an invite of their own once they are no admin any more', async () => {
    const admin = await test.admin();
    const fallen = await test.person('fallen', 'admin');
    const body = { role: 'admin', expiresInHours: 24 } as const;
    const { secret } = (await fallen.call('createInvite', { body })).body;
    const mine = (await admin.call('createInvite', { body: { ...body, role: 'user' } })).body;
    await admin.call('updateUser', { params: { userId: fallen.user?.id ?? '' }, body: { role: 'user' } });
    const account = { username: 'back', displayName: 'Back', password: PASSWORD };
    const refused = await test.browser().call('register', { body: { ...account, invite: secret } });
    expect(refused.error.code).toBe('link_invalid');
    expect((await test.browser().call('register', { body: { ...account, invite: mine.secret } })).status).toBe(201);
  });

  it('never lose their last admin, not even when two demote each other at once', async () => {
    const first = await test.admin();
    const second = await test.person('second', 'admin');
    const firstId = first.user?.id ?? '';
    const secondId = second.user?.id ?? '';
    const answers = await Promise.all([
      first.call('updateUser', { params: { userId: secondId }, body: { role: 'user' } }),
      second.call('updateUser', { params: { userId: firstId }, body: { status: 'disabled' } }),
    ]);
    const admins = await test.db
      .selectFrom('users')
      .select('id')
      .where('role', '=', 'admin')
      .where('status', '=', 'active')
      .execute();
    expect(admins).toHaveLength(1);
    expect(answers.filter((answer) => answer.status === 200)).toHaveLength(1);
    await test.db
      .updateTable('users')
      .set({ role: 'admin', status: 'active' })
      .where('id', 'in', [firstId, secondId])
      .execute();
    await test.db.updateTable('users').set({ role: 'user' }).where('id', '=', secondId).execute();
    const only = await test.admin();
    for (const body of [{ role: 'user' }, { status: 'disabled' }, { role: 'user', status: 'disabled' }]) {
      expect((await only.call('updateUser', { params: { userId: firstId }, body })).error.code).toBe('last_admin');
    }
  });

  it.each([
    ['999999999999999999', {}, 404],
    ['0', {}, 400],
    ['-1', {}, 400],
    ['1e3', {}, 400],
    ['9999999999999999999', {}, 400],
  ])('answers for the id %s', async (userId, body, status) => {
    expect((await (await test.admin()).call('updateUser', { params: { userId }, body })).status).toBe(status);
  });

  it('leave a record of who did what', async () => {
    const actions = (await test.db.selectFrom('audit_log').select('action').distinct().execute()).map(
      (row) => row.action,
    );
    expect(actions).toEqual(
      expect.arrayContaining(['user.created', 'user.changed', 'invite.created', 'auth.signed_in']),
    );
  });
});

describe('settings', () => {
  it('have defaults, can be changed one by one, and refuse what they do not know', async () => {
    const admin = await test.admin();
    const defaults = {
      registration: 'invite',
      agentsPerUser: 10,
      recording: true,
      recordingMegabytes: 16,
      idleMinutes: 0,
      podDefaults: noPodValues,
      podLimits: noPodLimits,
    };
    expect((await admin.call('getSettings')).body).toEqual(defaults);
    expect((await admin.call('updateSettings', { body: { agentsPerUser: 3 } })).body).toEqual({
      ...defaults,
      agentsPerUser: 3,
    });
    for (const body of [
      { agentsPerUser: -1 },
      { agentsPerUser: '3' },
      { agentsPerUser: 1.5 },
      { registration: 'maybe' },
      { recording: 1 },
      { recordingMegabytes: 0 },
      { recordingMegabytes: 257 },
      { idleMinutes: -1 },
      { idleMinutes: 10_081 },
      { theme: 'dark' },
      [],
    ]) {
      expect((await admin.call('updateSettings', { body })).error.code).toBe('invalid_request');
    }
    expect((await admin.call('getSettings')).body.agentsPerUser).toBe(3);
  });

  it('of recording tell the editor what an agent gets that says nothing', async () => {
    const admin = await test.admin();
    const told = async () => (await admin.call('getCapabilities')).body.recordingMegabytes;
    await admin.call('updateSettings', { body: { recording: true, recordingMegabytes: 32 } });
    expect(await told()).toBe(32);
    await admin.call('updateSettings', { body: { recording: false } });
    expect(await told()).toBe(0);
  });
});
