import { afterAll, beforeAll, expect, it } from 'vitest';
import { createTestGateway, PASSWORD, TEST_HOST, type TestGateway } from '../../../test/gateway.ts';
import { BCRYPT_COST } from './password-hasher.ts';

/** With the hashing cost of an installation: only then do sign-ins queue up as they would there. */
let test: TestGateway;

beforeAll(async () => {
  test = await createTestGateway({ deps: { tuning: { passwordHasher: { cost: BCRYPT_COST, threads: 1 } } } });
  await test.admin();
});
afterAll(() => test.close());

const MEBIBYTE = 1024 * 1024;

it('500 wrong passwords at once from one address: refused in time, and the owner signs in from elsewhere', async () => {
  const home = test.browser('10.20.0.1');
  expect((await home.call('signIn', { body: { login: 'root', password: PASSWORD } })).status).toBe(200);
  const before = process.memoryUsage().rss;
  const thief = test.browser('10.66.0.1');
  const flood = Array.from({ length: 500 }, (_, index) =>
    // One account for half of them; the others go through a list of names.
    thief.call('signIn', { body: { login: index % 2 ? 'root' : `name${index}`, password: `wrong wrong ${index}` } }),
  );
  const owner = await test.browser('10.20.0.2').call('signIn', { body: { login: 'root', password: PASSWORD } });
  expect(owner.status).toBe(200);
  const answers = await Promise.all(flood);
  expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([401, 429]));
  const refused = answers.filter(({ status }) => status === 429);
  expect(refused.length).toBeGreaterThan(430);
  for (const { headers, error } of refused) {
    expect(Number(headers['retry-after'])).toBeGreaterThan(0);
    expect(error.details?.retryAfterSeconds).toBe(Number(headers['retry-after']));
  }
  expect(process.memoryUsage().rss - before).toBeLessThan(100 * MEBIBYTE);
  expect((await test.app.inject({ url: '/health/live', headers: { host: TEST_HOST } })).statusCode).toBe(200);
  // The thief's own address is the one that waits.
  expect((await thief.call('signIn', { body: { login: 'root', password: PASSWORD } })).status).toBe(429);
});
