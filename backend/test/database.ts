import { randomBytes } from 'node:crypto';
import pg from 'pg';
import pino from 'pino';
import { inject } from 'vitest';
import { createDatabase, type Database } from '../src/db/database.ts';
import './global-setup.ts';

export interface TestDatabase {
  readonly db: Database;
  readonly url: string;
  /** Closes the pool and drops the database. */
  close(): Promise<void>;
}

const maintenance = async (statement: string): Promise<void> => {
  const client = new pg.Client({ connectionString: inject('postgresUrl') });
  await client.connect();
  try {
    await client.query(statement);
  } finally {
    await client.end();
  }
};

/** An empty, migrated database of its own; call in `beforeAll`, close in `afterAll`. With `template0` it has no schema. */
export const createTestDatabase = async (
  template: 'template_sac' | 'template0' = 'template_sac',
): Promise<TestDatabase> => {
  const name = `test_${randomBytes(8).toString('hex')}`;
  await maintenance(`create database ${name} template ${template}`);
  const url = new URL(inject('postgresUrl').replace('postgresql:///', 'postgresql://x/'));
  const testUrl = `postgresql:///${name}${url.search}`;
  const db = createDatabase({ url: testUrl, logger: pino({ level: 'silent' }), maxConnections: 20 });
  const close = async (): Promise<void> => {
    await db.destroy();
    await maintenance(`drop database if exists ${name} with (force)`);
  };
  return { db, url: testUrl, close };
};
