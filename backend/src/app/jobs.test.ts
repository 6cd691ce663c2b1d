import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { createTestGateway, type TestBrowser, type TestGateway } from '../../test/gateway.ts';
import { accountJobs } from './jobs.ts';

let test: TestGateway;
const cut: string[] = [];
beforeAll(async () => {
  test = await createTestGateway({ deps: { revokeTerminals: (ids) => cut.push(...ids) } });
});
afterAll(() => test.close());

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
