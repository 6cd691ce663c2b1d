import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';
import type { TestProject } from 'vitest/node';
import { startTestPostgres } from './postgres.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** URL of the maintenance database of the run's PostgreSQL. */
    postgresUrl: string;
  }
}

const migrations = new URL('../../migrations/', import.meta.url).pathname;

const withClient = async (url: string, work: (client: pg.Client) => Promise<void>): Promise<void> => {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await work(client);
  } finally {
    await client.end();
  }
};

/** One PostgreSQL per vitest run; `template_sac` holds the migrated schema that test databases are copied from. */
const setup = async (project: TestProject): Promise<() => Promise<void>> => {
  const server = await startTestPostgres();
  try {
    await withClient(server.urlOf('postgres'), async (client) => {
      await client.query('create database template_sac');
    });
    await withClient(server.urlOf('template_sac'), async (client) => {
      for (const file of readdirSync(migrations)
        .filter((name) => name.endsWith('.sql'))
        .sort()) {
        await client.query(readFileSync(join(migrations, file), 'utf8'));
      }
    });
  } catch (err) {
    await server.remove();
    throw err;
  }
  project.provide('postgresUrl', server.urlOf('postgres'));
  return () => server.remove();
};
export default setup;
