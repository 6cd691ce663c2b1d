import pino from 'pino';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../../../test/database.ts';
import { createMemoryRuntime } from '../../../test/memory-runtime.ts';
import type { LeftObjects } from '../../runtimes/runtime.ts';
import { endOrphans } from './orphans.ts';

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(() => database.close());

it.each(['no-uid', 'b1e7f0de-9d5c-4c4e-8a51-0d6f7b1f2c33'])(
  'retires what is there for %s, which no agent has',
  async (uid) => {
    const retired: string[] = [];
    const left: Pick<LeftObjects, 'agentUids' | 'retire'> = {
      agentUids: () => [uid],
      retire: async (agentUid) => {
        retired.push(agentUid);
        return 'waiting';
      },
    };
    const runtime = Object.assign(createMemoryRuntime(), { left: left as LeftObjects });
    await endOrphans({ db: database.db, runtime, logger: pino({ level: 'silent' }) });
    expect(retired).toEqual([uid]);
  },
);
