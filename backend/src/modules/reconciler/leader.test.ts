import type { KyselyPlugin } from 'kysely';
import pino from 'pino';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../../../test/database.ts';
import { createDatabase, type Database } from '../../db/database.ts';
import { createLeadership } from './leader.ts';

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(() => database.close());

const logger = pino({ level: 'silent' });
/** The database, whose `broken`th probe gets no answer in time although the connection lives, as on a disk that hangs. */
const stalling = (db: Database, broken: number): Database => {
  let probes = 0;
  const plugin: KyselyPlugin = {
    transformQuery: ({ node }) => {
      const isProbe = node.kind === 'RawNode' && node.sqlFragments.join('') === 'select 1';
      if (isProbe && (probes += 1) === broken) throw new Error('Query read timeout');
      return node;
    },
    transformResult: ({ result }) => Promise.resolve(result),
  };
  const connection = () => ({
    execute: <T>(work: (connection: Database) => Promise<T>) =>
      db.connection().execute((one) => work(one.withPlugin(plugin))),
  });
  const getExecutor = () => db.getExecutor();
  // All that leadership uses of a database.
  return { connection, getExecutor } as unknown as Database;
};

it('is not lost for good with a connection that did not answer in time', async () => {
  const changes: boolean[] = [];
  const lead = createLeadership({
    db: stalling(database.db, 3),
    logger,
    onChange: (leader) => changes.push(leader),
    retryMs: 20,
    probeMs: 20,
  });
  await vi.waitFor(() => expect(changes).toEqual([true, false, true]));
  await lead.close();
  // No connection of this process holds it any more: another process can have it at once.
  const other = createDatabase({ url: database.url, logger });
  const next = createLeadership({ db: other, logger, onChange: () => undefined, retryMs: 20, probeMs: 20 });
  await vi.waitFor(() => expect(next.isLeader()).toBe(true));
  await next.close();
  await other.destroy();
});
