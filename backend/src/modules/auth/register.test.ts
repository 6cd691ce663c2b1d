import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTestGateway, PASSWORD, type TestGateway } from '../../../test/gateway.ts';

let test: TestGateway;
beforeAll(async () => {
  test = await createTestGateway();
});
afterAll(() => test.close());

const account = (username: string) => ({ username, displayName: username, password: PASSWORD });
const setRegistration = async (registration: 'open' | 'invite' | 'closed'): Promise<void> => {
  expect((await (await test.admin()).call('updateSettings', { body: { registration } })).status).toBe(200);
};

describe('registering', () => {
  it('needs an invite by default', async () => {
    await test.admin();
    expect((await test.browser().call('register', { body: account('nobody') })).error.code).toBe('registration_closed');
  });

  it('works once with an invite, with its role', async () => {
    const {
      body: { secret, invite },
    } = await (await test.admin()).call('createInvite', { body: { role: 'admin', expiresInHours: 24 } });
    expect(invite).toMatchObject({ role: 'admin', invitedBy: 'Root', email: null });
    const answers = await Promise.all(
      ['one', 'two'].map((name) =>
        test.browser().call('register', { body: { ...account(`invited-${name}`), invite: secret } }),
      ),
    );
    expect(answers.map((answer) => answer.status).sort()).toEqual([201, 404]);
    const [made] = answers.filter((answer) => answer.status === 201);
    expect(made?.body.user).toMatchObject({ role: 'admin', status: 'active' });
  });

  it('gives the account the address of the invite', async () => {
    const invite = { email: 'ada@example.org', role: 'user', expiresInHours: 24 };
    const {
      body: { secret },
    } = await (await test.admin()).call('createInvite', { body: invite });
    const foreign = await test
      .browser()
      .call('register', { body: { ...account('ada'), email: 'eve@example.org', invite: secret } });
    expect(foreign.error.details?.fields?.[0]?.path).toBe('/email');
    const made = await test.browser().call('register', { body: { ...account('ada'), invite: secret } });
    expect(made.body.user.email).toBe('ada@example.org');
    expect(
      (await test.browser().call('signIn', { body: { login: 'ADA@example.org', password: PASSWORD } })).status,
    ).toBe(200);
  });

  it('does not use an invite up when the name is taken', async () => {
    const {
      body: { secret },
    } = await (await test.admin()).call('createInvite', { body: { role: 'user', expiresInHours: 24 } });
    const taken = await test.browser().call('register', { body: { ...account('ROOT'), invite: secret } });
    expect(taken.error).toMatchObject({ code: 'name_taken', details: { fields: [{ path: '/username' }] } });
    expect((await test.browser().call('register', { body: { ...account('latecomer'), invite: secret } })).status).toBe(
      201,
    );
  });

  it('refuses withdrawn and expired invites', async () => {
    const admin = await test.admin();
    const {
      body: { secret, invite },
    } = await admin.call('createInvite', { body: { role: 'user', expiresInHours: 24 } });
    expect((await admin.call('listInvites')).body.invites.map((entry) => entry.id)).toContain(invite.id);
    expect((await admin.call('deleteInvite', { params: { inviteId: invite.id } })).status).toBe(204);
    expect((await admin.call('deleteInvite', { params: { inviteId: invite.id } })).error.code).toBe('not_found');
    expect(
      (await test.browser().call('register', { body: { ...account('toolate'), invite: secret } })).error.code,
    ).toBe('link_invalid');
    const old = await admin.call('createInvite', { body: { role: 'user', expiresInHours: 1 } });
    await test.db
      .updateTable('invites')
      .set({ expires_at: new Date(0) })
      .where('id', '=', old.body.invite.id)
      .execute();
    expect(
      (await test.browser().call('checkLink', { body: { kind: 'invite', secret: old.body.secret } })).error.code,
    ).toBe('link_invalid');
  });

  it('follows the setting: open, closed', async () => {
    await setRegistration('open');
    expect((await test.browser().call('register', { body: account('walkin') })).status).toBe(201);
    await setRegistration('closed');
    const {
      body: { secret },
    } = await (await test.admin()).call('createInvite', { body: { role: 'user', expiresInHours: 24 } });
    expect(
      (await test.browser().call('register', { body: { ...account('refused'), invite: secret } })).error.code,
    ).toBe('registration_closed');
    await setRegistration('invite');
  });

  it('is closed when the setting cannot be understood', async () => {
    await test.db
      .updateTable('system_settings')
      .set({ value: JSON.stringify('wide open') })
      .where('key', '=', 'registration')
      .execute();
    expect((await test.browser().call('getAuthState')).body.registration).toBe('closed');
    expect((await test.browser().call('register', { body: account('sneak') })).error.code).toBe('registration_closed');
    await setRegistration('invite');
  });

  it.each([
    ['username', 'a'],
    ['username', 'with space'],
    ['username', 'me@example.org'],
    ['username', 'x'.repeat(33)],
    ['username', 'p\u0430ypal'],
    ['displayName', ''],
    ['displayName', 'bell\u0007'],
    ['displayName', 'evil\u202etxt.exe'],
    ['displayName', 'zero\u200bwidth'],
    ['displayName', ' padded '],
    ['displayName', 'x'.repeat(81)],
    ['displayName', 'line\nbreak'],
    ['displayName', 7],
    ['displayName', null],
    ['email', 'no-at-sign'],
    ['email', 'a@b\u0000'],
    ['password', 'short'],
    ['unknown', 'field'],
    ['role', 'admin'],
  ])('refuses %s = %j by name', async (field, value) => {
    const answer = await test.browser().call('register', { body: { ...account('fine'), [field]: value } });
    expect(answer.error.code).toBe('invalid_request');
    expect(answer.error.details?.fields?.map((problem) => problem.path)).toEqual([`/${field}`]);
  });

  it('names every wrong field at once', async () => {
    const answer = await test.browser().call('register', { body: { username: '!', displayName: '', extra: 1 } });
    expect(answer.error.details?.fields?.map((problem) => problem.path).sort()).toEqual([
      '/displayName',
      '/extra',
      '/password',
      '/username',
    ]);
  });

  it('has an answer for a name of 1 MB', async () => {
    const answer = await test
      .browser()
      .call('register', { body: { ...account('fine'), displayName: 'x'.repeat(1_048_576) } });
    expect(answer.status).toBe(413);
    expect(answer.error).toMatchObject({
      code: 'payload_too_large',
      message: expect.stringMatching(/256 KiB; this one has 1 MiB/) as string,
    });
    const large = await test
      .browser()
      .call('register', { body: { ...account('fine'), displayName: 'x'.repeat(200_000) } });
    expect(large.error.details?.fields).toEqual([
      { path: '/displayName', message: 'must have at most 80 characters, has 200000' },
    ]);
  });
});

describe('own account', () => {
  it('changes display name and address', async () => {
    const person = await test.person('renamer');
    const changed = await person.call('updateMe', { body: { displayName: 'Ἀρχιμήδης 🛁', email: 'arch@example.org' } });
    expect(changed.body).toMatchObject({ displayName: 'Ἀρχιμήδης 🛁', email: 'arch@example.org' });
    expect((await person.call('updateMe', { body: { email: null } })).body.email).toBeNull();
    expect((await person.call('updateMe', { body: {} })).status).toBe(200);
    expect((await person.call('updateMe', { body: { role: 'admin' } })).error.code).toBe('invalid_request');
  });

  it('cannot take the address of somebody else', async () => {
    const first = await test.person('holder');
    await first.call('updateMe', { body: { email: 'holder@example.org' } });
    const second = await test.person('wisher');
    expect((await second.call('updateMe', { body: { email: 'HOLDER@example.org' } })).error.code).toBe('name_taken');
  });
});
