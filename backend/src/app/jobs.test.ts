import { sql } from 'kysely';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { createTestGateway, type TestBrowser, type TestGateway } from '../../test/gateway.ts';
import { DELETED_AT_ONCE } from '../modules/audit/repository.ts';
import { accountJobs } from './jobs.ts';

let test: TestGateway;
const cut: string[] = [];
beforeAll(async () => {
  test = await createTestGateway({ deps: { revokeTerminals: (ids) => cut.push(...ids) } });
});
afterAll(() => test.close());

const run = (name: string): Promise<void> =>
  test.db.transaction().execute(async (trx) => accountJobs.find((job) => job.name === name)?.run(trx));

it.each([
  ['user.created', 399, 401],
  ['auth.sign_in_failed', 29, 31],
])('the audit keeps %s for a bounded time', async (action, keptDays, deletedDays) => {
  const at = (days: number) => new Date(Date.now() - days * 24 * 60 * 60_000);
  const ages = [keptDays, deletedDays].map((days) => ({
    action,
    at: at(days),
    request_id: `${action} ${days}`,
    details: '{}',
  }));
  await test.db.insertInto('audit_log').values(ages).execute();
  await run('audit');
  const left = await test.db
    .selectFrom('audit_log')
    .select('request_id')
    .where('request_id', 'like', `${action} %`)
    .execute();
  expect(left).toEqual([{ request_id: `${action} ${keptDays}` }]);
});

it.each(['user.created', 'auth.sign_in_failed'])('a run deletes a bounded number of %s', async (action) => {
  await sql`insert into audit_log (action, at) select ${action}::text, now() - interval '500 days'
    from generate_series(1, ${DELETED_AT_ONCE * 2 + 1}::integer)`.execute(test.db);
  const left = async (): Promise<number> => {
    const { rows } = await sql<{ left: number }>`select count(*)::integer as left from audit_log
      where action = ${action} and at < now() - interval '450 days'`.execute(test.db);
    return rows[0]?.left ?? 0;
  };
  await run('audit');
  expect(await left()).toBe(action === 'user.created' ? DELETED_AT_ONCE + 1 : 1);
  await run('audit');
  await run('audit');
  expect(await left()).toBe(0);
});

const sessionOf = async (page: TestBrowser): Promise<string> => {
  const { sessions } = (await page.call('listAuthSessions')).body;
  return sessions.find(({ current }) => current)?.id ?? '';
};

it('a browser session whose time is over ends with its terminals, and no other', async () => {
  const [old, other] = [await test.person('hugo'), await test.person('ines')];
  const id = await sessionOf(old);
  const expires_at = new Date(Date.now() - 1_000);
  await test.db.updateTable('auth_sessions').set({ expires_at }).where('id', '=', id).execute();
  cut.splice(0);
  const job = accountJobs.find(({ name }) => name === 'auth');
  await test.db.transaction().execute(async (trx) => job?.run(trx));
  await vi.waitFor(() => expect(cut).toEqual([id]));
  expect((await other.call('me')).status).toBe(200);
  cut.splice(0);
  await test.db.transaction().execute(async (trx) => job?.run(trx));
  await new Promise((resolve) => setTimeout(resolve, 200));
  expect(cut).toEqual([]);
});
