import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import pg from 'pg';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../../test/database.ts';

const program = new URL('./migrate.ts', import.meta.url).pathname;

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase('template0');
});
afterAll(() => database.close());

const migrate = async (): Promise<string> => {
  const env = { PATH: process.env['PATH'], SAC_DATABASE_URL: database.url };
  return (await promisify(execFile)(process.execPath, [program], { env })).stdout;
};

it('makes the schema once, and has nothing to do on that of a newer version', async () => {
  expect(await migrate()).toContain('applied 0001_');
  expect(await migrate()).toContain('up to date');
  const client = new pg.Client({ connectionString: database.url });
  await client.connect();
  await client.query("insert into schema_migrations (version, name, checksum) values (9999, '9999_later.sql', 'x')");
  await client.end();
  expect(await migrate()).toMatch(/Nothing to do\..*newer version.*9999_later\.sql/);
});
