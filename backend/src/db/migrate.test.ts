import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, inject, it } from 'vitest';
import '../../test/global-setup.ts';
import { migrate } from './migrate.ts';

const adminUrl = inject('postgresUrl');
const name = `migrate_${process.pid}`;
const url = adminUrl.replace('/postgres?', `/${name}?`);
let directory: string;

const query = async (target: string, statement: string): Promise<Record<string, unknown>[]> => {
  const client = new pg.Client({ connectionString: target });
  await client.connect();
  try {
    return (await client.query<Record<string, unknown>>(statement)).rows;
  } finally {
    await client.end();
  }
};

const put = (file: string, sql: string): Promise<void> => writeFile(join(directory, file), sql);

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'sac-migrate-'));
});
beforeEach(async () => {
  await query(adminUrl, `DROP DATABASE IF EXISTS ${name} WITH (FORCE)`);
  await query(adminUrl, `CREATE DATABASE ${name}`);
  await rm(directory, { recursive: true, force: true });
  directory = await mkdtemp(join(tmpdir(), 'sac-migrate-'));
  await put('0001_one.sql', 'CREATE TABLE one (id int); INSERT INTO one VALUES (1);');
});
afterAll(async () => {
  await query(adminUrl, `DROP DATABASE IF EXISTS ${name} WITH (FORCE)`);
  await rm(directory, { recursive: true, force: true });
});

describe('migrate', () => {
  it('applies what is missing, once, in order', async () => {
    expect(await migrate({ url, directory })).toEqual(['0001_one.sql']);
    await put('0002_two.sql', 'ALTER TABLE one ADD COLUMN two text;');
    expect(await migrate({ url, directory })).toEqual(['0002_two.sql']);
    expect(await migrate({ url, directory })).toEqual([]);
  });

  it('lets one of many processes do the work', async () => {
    const results = await Promise.all([1, 2, 3, 4].map(() => migrate({ url, directory })));
    expect(results.flat()).toEqual(['0001_one.sql']);
    expect(await query(url, 'SELECT count(*)::int AS n FROM one')).toEqual([{ n: 1 }]);
  });

  it('keeps nothing of a file that fails, and names file and line', async () => {
    await put('0002_two.sql', 'CREATE TABLE two (id int);\n\nALTER TABLE nowhere ADD COLUMN x int;\n');
    await expect(migrate({ url, directory })).rejects.toThrow(/0002_two\.sql failed.*nowhere.*Nothing of it was kept/);
    expect(await query(url, "SELECT to_regclass('one')::text AS one, to_regclass('two')::text AS two")).toEqual([
      { one: 'one', two: null },
    ]);
    await put('0002_two.sql', 'SELECT 1;\nSELEKT 2;');
    await expect(migrate({ url, directory })).rejects.toThrow(/at line 2/);
  });

  it('refuses a changed file', async () => {
    await migrate({ url, directory });
    await put('0001_one.sql', 'CREATE TABLE other (id int);');
    await expect(migrate({ url, directory })).rejects.toThrow(/never changes once released/);
  });

  it('refuses a database of a newer version', async () => {
    await put('0002_two.sql', 'SELECT 1');
    await migrate({ url, directory });
    await rm(join(directory, '0002_two.sql'));
    await expect(migrate({ url, directory })).rejects.toThrow(/newer version.*0002_two\.sql.*ends at 0001_one\.sql/);
  });

  it('refuses gaps and odd names', async () => {
    await put('0003_three.sql', 'SELECT 1');
    await expect(migrate({ url, directory })).rejects.toThrow(/0002 is expected next/);
    await rm(join(directory, '0003_three.sql'));
    await put('2_two.sql', 'SELECT 1');
    await expect(migrate({ url, directory })).rejects.toThrow(/not named like/);
  });
});
