import { setTimeout as sleep } from 'node:timers/promises';
import { sql } from 'kysely';
import pino from 'pino';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../../test/database.ts';
import { startBackgroundJobs, type BackgroundJob } from './background-jobs.ts';

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(() => database.close());

const deps = () => ({ db: database.db, logger: pino({ level: 'silent' }) });

describe('background jobs', () => {
  it('repeat, never twice at once among replicas, and end when closed', async () => {
    let runs = 0;
    let running = 0;
    let most = 0;
    const job: BackgroundJob = {
      name: 'test',
      intervalMs: 10,
      run: async (trx) => {
        running += 1;
        most = Math.max(most, running);
        await sql`select pg_sleep(0.02)`.execute(trx);
        running -= 1;
        runs += 1;
      },
    };
    const replicas = [startBackgroundJobs(deps(), [job]), startBackgroundJobs(deps(), [job])];
    while (runs < 5) await sleep(10);
    await Promise.all(replicas.map((replica) => replica.close()));
    const before = runs;
    await sleep(100);
    expect(runs).toBe(before);
    expect(most).toBe(1);
  });

  it('go on after a failure', async () => {
    let runs = 0;
    const job: BackgroundJob = {
      name: 'failing',
      intervalMs: 5,
      run: async () => {
        runs += 1;
        throw new Error('no');
      },
    };
    const jobs = startBackgroundJobs(deps(), [job]);
    while (runs < 3) await sleep(10);
    await jobs.close();
  });
});
