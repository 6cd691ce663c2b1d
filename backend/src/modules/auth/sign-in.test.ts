import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTestGateway, PASSWORD, TEST_HOST, type TestBrowser, type TestGateway } from '../../../test/gateway.ts';
import { createAdminLink } from './links.ts';

let test: TestGateway;
beforeAll(async () => {
  test = await createTestGateway();
});
afterAll(() => test.close());

describe('first admin', () => {
  it('is made with a single-use link, and only once', async () => {
    const page = test.browser();
    expect((await page.call('getAuthState')).body).toMatchObject({
      firstAdminNeeded: true,
      registration: 'invite',
      demo: false,
    });
    const { secret } = await createAdminLink(test.db);
    expect((await page.call('checkLink', { body: { kind: 'admin', secret } })).status).toBe(200);
    expect((await page.call('checkLink', { body: { kind: 'invite', secret } })).error.code).toBe('link_invalid');

    const body = { secret, username: 'root', displayName: 'Root', password: PASSWORD };
    const both = await Promise.all([
      page.call('redeemAdminLink', { body }),
      test.browser().call('redeemAdminLink', { body: { ...body, username: 'root2' } }),
    ]);
    expect(both.map((answer) => answer.status).sort()).toEqual([201, 404]);
    expect((await test.browser().call('redeemAdminLink', { body })).error.code).toBe('link_invalid');
    expect((await page.call('getAuthState')).body.firstAdminNeeded).toBe(false);
    await test.db.updateTable('users').set({ username: 'root' }).execute();
  });

  it('does not keep the secret of a link', async () => {
    const { secret } = await createAdminLink(test.db);
    const rows = await test.db.selectFrom('invites').selectAll().execute();
    expect(JSON.stringify(rows)).not.toContain(secret);
  });

  it('makes the link before useless when a new one is made', async () => {
    const old = await createAdminLink(test.db);
    const fresh = await createAdminLink(test.db);
    expect((await test.browser().call('checkLink', { body: { kind: 'admin', secret: old.secret } })).status).toBe(404);
    expect((await test.browser().call('checkLink', { body: { kind: 'admin', secret: fresh.secret } })).status).toBe(
      200,
    );
  });

  it('refuses an expired link', async () => {
    const { secret } = await createAdminLink(test.db, { ttlMs: -1 });
    expect((await test.browser().call('checkLink', { body: { kind: 'admin', secret } })).error.code).toBe(
      'link_invalid',
    );
  });
});

describe('signing in', () => {
  it('answers with the account, a token and a cookie that scripts cannot read', async () => {
    const page = test.browser();
    const answer = await page.call('signIn', { body: { login: 'ROOT', password: PASSWORD } });
    expect(answer.status).toBe(200);
    expect(answer.body.user).toMatchObject({ username: 'root', role: 'admin' });
    const cookie = String(answer.headers['set-cookie']);
    expect(cookie).toMatch(/^sac_refresh_[0-9a-f]{8}=/);
    expect(cookie).toContain('HttpOnly');
    expect(cookie).toContain('SameSite=Strict');
    expect(cookie).toContain('Path=/api/auth');
    expect(cookie).not.toContain('Secure');
    expect(JSON.stringify(answer.body)).not.toContain('$2b$');
    expect((await page.call('me')).body.username).toBe('root');
  });

  it('answers the same for a wrong password and an unknown account, and hashes for both', async () => {
    const before = await hashes();
    const wrong = await test.browser().call('signIn', { body: { login: 'root', password: 'wrong wrong' } });
    const unknown = await test.browser().call('signIn', { body: { login: 'nobody', password: 'wrong wrong' } });
    expect(wrong.status).toBe(401);
    expect({ ...wrong.error, requestId: '' }).toEqual({ ...unknown.error, requestId: '' });
    expect((await hashes()) - before).toBe(2);
  });

  it.each(['nul\u0000nul', 'x'.repeat(254), '%', "' or 1=1 --", '用户'])(
    'does not trip over the login %j',
    async (login) => {
      expect((await test.browser().call('signIn', { body: { login, password: 'whatever' } })).error.code).toBe(
        'invalid_credentials',
      );
    },
  );

  it.each(['\u0000\u0000\u0000', 'x'.repeat(256), 'ü'.repeat(100)])(
    'does not trip over the password %j',
    async (password) => {
      expect((await test.browser().call('signIn', { body: { login: 'root', password } })).error.code).toBe(
        'invalid_credentials',
      );
    },
  );

  it('tells only who knows the password that the account is disabled', async () => {
    await test.person('sleepy');
    await test.db.updateTable('users').set({ status: 'disabled' }).where('username', '=', 'sleepy').execute();
    expect(
      (await test.browser().call('signIn', { body: { login: 'sleepy', password: 'wrong wrong' } })).error.code,
    ).toBe('invalid_credentials');
    expect((await test.browser().call('signIn', { body: { login: 'sleepy', password: PASSWORD } })).error.code).toBe(
      'account_disabled',
    );
  });

  it('stops guessing at one account from one address, and lets others in', async () => {
    const thief = test.browser();
    const statuses: number[] = [];
    for (let attempt = 0; attempt < 12; attempt += 1) {
      statuses.push((await thief.call('signIn', { body: { login: 'root', password: `guess ${attempt}` } })).status);
    }
    expect(statuses).toEqual([...Array<number>(10).fill(401), 429, 429]);
    const refused = await thief.call('signIn', { body: { login: 'root', password: PASSWORD } });
    expect(refused.error.details?.retryAfterSeconds).toBeGreaterThan(0);
    expect(Number(refused.headers['retry-after'])).toBeGreaterThan(0);
    expect((await test.browser().call('signIn', { body: { login: 'root', password: PASSWORD } })).status).toBe(200);
  });

  it('stops guessing from many addresses, and does not lock out who has signed in from there before', async () => {
    const owner = await test.person('target');
    const guess = (page: TestBrowser, password: string) => page.call('signIn', { body: { login: 'target', password } });
    for (let network = 0; network < 11; network += 1) {
      const thief = test.browser(`192.0.2.${network + 1}`);
      for (let attempt = 0; attempt < 10; attempt += 1) await guess(thief, 'wrong wrong');
    }
    expect((await guess(test.browser('192.0.2.99'), PASSWORD)).error.code).toBe('rate_limited');
    expect((await guess(owner, PASSWORD)).status).toBe(200);
    // Not an open door: from there, too, ten wrong ones are the end.
    for (let attempt = 0; attempt < 10; attempt += 1) await guess(owner, 'wrong wrong');
    expect((await guess(owner, PASSWORD)).error.code).toBe('rate_limited');
  });

  it('does not count successes', async () => {
    const office = test.browser();
    for (let attempt = 0; attempt < 15; attempt += 1) {
      expect((await office.call('signIn', { body: { login: 'root', password: PASSWORD } })).status).toBe(200);
    }
  });

  it('survives 500 wrong passwords at once', async () => {
    const before = await hashes();
    const slowest = { ms: 0 };
    const flood = Array.from({ length: 500 }, (_, index) =>
      test
        .browser(`10.9.${index % 5}.1`)
        .call('signIn', { body: { login: `user${index % 50}`, password: 'wrong wrong' } }),
    );
    let isOver = false;
    const probe = (async () => {
      while (!isOver) {
        const started = performance.now();
        expect((await test.app.inject({ url: '/health/live', headers: { host: TEST_HOST } })).statusCode).toBe(200);
        slowest.ms = Math.max(slowest.ms, performance.now() - started);
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
    })();
    const statuses = (await Promise.all(flood)).map((answer) => answer.status);
    isOver = true;
    await probe;
    expect(new Set(statuses)).toEqual(new Set([401, 429]));
    // The queue is bounded: what is refused was never hashed.
    expect((await hashes()) - before).toBe(statuses.filter((status) => status === 401).length);
    expect(statuses.filter((status) => status === 429).length).toBeGreaterThan(100);
    expect(slowest.ms).toBeLessThan(5_000);
  });
});

const hashes = async (): Promise<number> => {
  const page = await test.app.inject({ url: '/metrics', remoteAddress: '127.0.0.1' });
  return Number(/^sac_password_hashes (\d+)$/m.exec(page.body)?.[1]);
};
