import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { createTestGateway, PASSWORD, TEST_ORIGIN, type TestBrowser, type TestGateway } from '../../../test/gateway.ts';

let test: TestGateway;
beforeAll(async () => {
  test = await createTestGateway();
});
afterAll(() => test.close());

/** Moves the last rotation of a browser's session into the past, as if the time had passed. */
const age = async (page: TestBrowser, seconds: number): Promise<void> => {
  const id = currentSession(page);
  await sql`update auth_sessions set rotated_at = rotated_at - make_interval(secs => ${seconds}) where id = ${id}`.execute(
    test.db,
  );
};

const currentSession = (page: TestBrowser): string => {
  const [, payload = ''] = page.accessToken.split('.');
  return (JSON.parse(Buffer.from(payload, 'base64url').toString()) as { sid: string }).sid;
};

describe('refreshing', () => {
  it('rotates the cookie and gives a new access token', async () => {
    const page = await test.admin();
    await age(page, 60);
    const before = page.copy();
    expect((await page.call('refresh', { body: {} })).status).toBe(200);
    expect(page.cookie).not.toBe(before.cookie);
    expect((await page.call('me')).status).toBe(200);
  });

  it('gives two tabs that refresh at once the same token, and both go on', async () => {
    const first = await test.admin();
    await age(first, 60);
    const second = first.copy();
    const answers = await Promise.all([first.call('refresh', { body: {} }), second.call('refresh', { body: {} })]);
    expect(answers.map((answer) => answer.status)).toEqual([200, 200]);
    expect(first.cookie).toBe(second.cookie);
    await age(first, 60);
    expect((await first.call('refresh', { body: {} })).status).toBe(200);
    expect((await second.call('refresh', { body: {} })).status).toBe(200);
  });

  it('lets a reload in the middle come back with the token before', async () => {
    const page = await test.admin();
    await age(page, 60);
    const old = page.copy();
    await page.call('refresh', { body: {} });
    for (let reload = 0; reload < 3; reload += 1)
      expect((await old.copy().call('refresh', { body: {} })).status).toBe(200);
  });

  it('ends the session when an old token comes back later, for thief and owner', async () => {
    const owner = await test.admin();
    await age(owner, 60);
    const thief = owner.copy();
    await owner.call('refresh', { body: {} });
    await age(owner, 11);
    expect((await thief.call('refresh', { body: {} })).error.code).toBe('unauthenticated');
    expect((await owner.call('refresh', { body: {} })).error.code).toBe('unauthenticated');
    expect((await owner.call('me')).error.code).toBe('unauthenticated');
    const entries = await test.db
      .selectFrom('audit_log')
      .select('action')
      .where('action', '=', 'auth.refresh_reused')
      .execute();
    expect(entries).toHaveLength(1);
  });

  it.each([-5, 5])('takes the token before also at a replica whose clock is %i minutes off', async (minutes) => {
    const page = await test.admin();
    await age(page, 60);
    const [old, late] = [page.copy(), page.copy()];
    await page.call('refresh', { body: {} });
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + minutes * 60_000 });
    try {
      expect((await old.call('refresh', { body: {} })).status).toBe(200);
      await age(page, 11);
      expect((await late.call('refresh', { body: {} })).error.code).toBe('unauthenticated');
    } finally {
      vi.useRealTimers();
    }
  });

  it('leaves other sessions of the account alone when one is ended so', async () => {
    const victim = await test.admin();
    const other = await test.admin();
    await age(victim, 60);
    const thief = victim.copy();
    await victim.call('refresh', { body: {} });
    await age(victim, 11);
    await thief.call('refresh', { body: {} });
    expect((await other.call('me')).status).toBe(200);
  });

  it('needs both halves', async () => {
    const page = await test.admin();
    const onlyCookie = page.copy();
    onlyCookie.refreshSecret = '';
    expect((await onlyCookie.call('refresh', { body: {} })).error.code).toBe('unauthenticated');
    const onlySecret = page.copy();
    onlySecret.cookie = '';
    expect((await onlySecret.call('refresh', { body: {} })).error.code).toBe('unauthenticated');
    const foreignSecret = page.copy();
    foreignSecret.refreshSecret = (await test.admin()).refreshSecret;
    expect((await foreignSecret.call('refresh', { body: {} })).error.code).toBe('unauthenticated');
    // A failed guess ends nothing.
    expect((await page.call('refresh', { body: {} })).status).toBe(200);
  });

  it.each([
    'garbage',
    'a.1.b',
    `${'a'.repeat(32)}.1.${'b'.repeat(43)}`,
    `${'a'.repeat(32)}.0.${'b'.repeat(43)}`,
    'x'.repeat(4000),
  ])('refuses the cookie %j', async (value) => {
    const page = await test.admin();
    page.cookie = `${page.cookie.split('=')[0] ?? ''}=${value}`;
    expect((await page.call('refresh', { body: {} })).error.code).toBe('unauthenticated');
  });

  it('refuses an expired session and a disabled account', async () => {
    const page = await test.person('leaver');
    await test.db.updateTable('users').set({ status: 'disabled' }).where('username', '=', 'leaver').execute();
    expect((await page.call('refresh', { body: {} })).error.code).toBe('unauthenticated');
    expect((await page.call('me')).error.code).toBe('unauthenticated');
    const expired = await test.admin();
    await test.db
      .updateTable('auth_sessions')
      .set({ expires_at: new Date(Date.now() - 1000) })
      .where('id', '=', currentSession(expired))
      .execute();
    expect((await expired.call('refresh', { body: {} })).error.code).toBe('unauthenticated');
  });

  it('keeps nothing in the table that opens a session', async () => {
    const page = await test.admin();
    const rows = JSON.stringify(await test.db.selectFrom('auth_sessions').selectAll().execute());
    expect(rows).not.toContain(page.cookie.split('=')[1]?.split('.')[0] ?? 'nothing');
    expect(rows).not.toContain(page.refreshSecret);
  });

  it('is not done for a page of another site', async () => {
    const page = await test.admin();
    const answer = await page.call('refresh', { body: {}, headers: { origin: 'http://sac.test.evil.example' } });
    expect(answer.error.code).toBe('origin_not_allowed');
    expect((await page.call('refresh', { body: {}, headers: { origin: TEST_ORIGIN } })).status).toBe(200);
  });
});

describe('access tokens', () => {
  const meWith = (accessToken: string) => {
    const page = test.browser();
    page.accessToken = accessToken;
    return page.call('me');
  };
  const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');

  it('are refused when unsigned, foreign, changed or expired', async () => {
    const { accessToken } = await test.admin();
    const [header = '', payload = '', signature = ''] = accessToken.split('.');
    const claims = JSON.parse(Buffer.from(payload, 'base64url').toString()) as Record<string, unknown>;
    const forged = [
      `${part({ alg: 'none', typ: 'JWT', kid: 'a' })}.${payload}.`,
      `${header}.${part({ ...claims, sub: '1', role: 'admin' })}.${signature}`,
      `${part({ alg: 'HS256', typ: 'JWT', kid: 'unknown' })}.${payload}.${signature}`,
      `${header}.bm90IGpzb24.${signature}`,
      'garbage',
      'x'.repeat(5000),
    ];
    for (const token of forged) expect((await meWith(token)).error.code).toBe('unauthenticated');
    expect((await meWith(accessToken)).status).toBe(200);
    expect(Number(claims['exp']) - Number(claims['iat'])).toBe(900);
    expect(claims).not.toHaveProperty('role');
  });
});

describe('ending sessions', () => {
  it('signs out this browser only, at once', async () => {
    const here = await test.admin();
    const there = await test.admin();
    const answer = await here.call('signOut', { body: {} });
    expect(answer.status).toBe(204);
    expect(here.cookie).toBe('');
    expect((await here.call('me')).error.code).toBe('unauthenticated');
    expect((await there.call('me')).status).toBe(200);
  });

  it('signs out everywhere', async () => {
    const person = await test.person('wanderer');
    const other = test.browser();
    await other.call('signIn', { body: { login: 'wanderer', password: PASSWORD } });
    expect((await person.call('signOutEverywhere', { body: {} })).status).toBe(204);
    for (const page of [person, other]) {
      expect((await page.call('me')).status).toBe(401);
      expect((await page.call('refresh', { body: {} })).status).toBe(401);
    }
  });

  it('lists own sessions and ends one; those of others do not exist', async () => {
    const person = await test.person('lister');
    const other = test.browser();
    await other.call('signIn', {
      body: { login: 'lister', password: PASSWORD },
      headers: { 'user-agent': 'Firefox\u0007/1' },
    });
    const { sessions } = (await person.call('listAuthSessions')).body;
    expect(sessions).toHaveLength(2);
    expect(sessions.filter((session) => session.current)).toHaveLength(1);
    const foreign = sessions.find((session) => !session.current);
    const stranger = await test.person('stranger');
    const params = { authSessionId: foreign?.id ?? '' };
    expect((await stranger.call('revokeAuthSession', { params })).error.code).toBe('not_found');
    expect((await person.call('revokeAuthSession', { params })).status).toBe(204);
    expect((await person.call('revokeAuthSession', { params })).error.code).toBe('not_found');
    expect((await other.call('me')).status).toBe(401);
  });

  it('keeps at most 50 sessions, the oldest goes', async () => {
    const first = await test.person('many');
    for (let index = 0; index < 50; index += 1)
      await test.browser().call('signIn', { body: { login: 'many', password: PASSWORD } });
    expect((await first.call('listAuthSessions')).status).toBe(401);
  });
});

describe('changing the password', () => {
  it('ends the other sessions and keeps this one', async () => {
    const here = await test.person('changer');
    const there = test.browser();
    await there.call('signIn', { body: { login: 'changer', password: PASSWORD } });
    const body = { currentPassword: PASSWORD, newPassword: 'a whole new password' };
    expect((await here.call('changePassword', { body: { ...body, currentPassword: 'wrong wrong' } })).error.code).toBe(
      'invalid_credentials',
    );
    expect((await here.call('changePassword', { body })).status).toBe(204);
    expect((await here.call('me')).status).toBe(200);
    expect((await there.call('me')).status).toBe(401);
    expect((await test.browser().call('signIn', { body: { login: 'changer', password: PASSWORD } })).status).toBe(401);
    expect(
      (await test.browser().call('signIn', { body: { login: 'changer', password: body.newPassword } })).status,
    ).toBe(200);
  });

  it.each([
    ['73 bytes', 'x'.repeat(73), /72 bytes.*73/],
    ['letters of several bytes', 'ü'.repeat(37), /72 bytes.*74/],
    ['too short', 'short', /at least 10 characters, has 5/],
    ['NUL', 'zero\u0000zero\u0000zero', /NUL/],
    ['own name', 'careless-1', /user name/],
  ])('refuses a new password: %s', async (_what, newPassword, message) => {
    const name = 'careless-1';
    const page = test.browser();
    const signedIn = await page.call('signIn', { body: { login: name, password: PASSWORD } });
    const person = signedIn.status === 200 ? page : await test.person(name);
    const answer = await person.call('changePassword', { body: { currentPassword: PASSWORD, newPassword } });
    expect(answer.status).toBe(400);
    expect(answer.error.details?.fields?.[0]).toMatchObject({
      path: '/newPassword',
      message: expect.stringMatching(message) as string,
    });
    expect(JSON.stringify(answer.error)).not.toContain(JSON.stringify(newPassword).slice(1, -1));
  });
});
