import pino from 'pino';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { agentBody, createAgentsFixture, type AgentsFixture } from '../../../test/agents.ts';
import { createMemoryRuntime } from '../../../test/memory-runtime.ts';
import type { LeftObjects } from '../../runtimes/runtime.ts';
import { exampleSpec as spec } from '../../runtimes/kubernetes/testing/examples.ts';
import { endOrphans, orphansCheck } from './orphans.ts';

let fixture: AgentsFixture;
beforeAll(async () => {
  fixture = await createAgentsFixture({ start: false });
});
afterAll(() => fixture.close());

let outcome: Awaited<ReturnType<LeftObjects['retire']>> = 'waiting';

const logged: string[] = [];
const logger = pino({ level: 'warn' }, { write: (line: string) => void logged.push(line) });
const named = new Set<string>();

/** What is done about the agents that something is there for and runs. */
const doneAbout = async (...uids: string[]): Promise<string[]> => {
  const done: string[] = [];
  const left: Pick<LeftObjects, 'agentUids' | 'retire' | 'keep'> = {
    agentUids: () => uids,
    retire: async (agentUid) => {
      done.push(`retire ${agentUid}`);
      return outcome;
    },
    keep: async (agentUid) => void done.push(`keep ${agentUid}`),
  };
  const runtime = Object.assign(createMemoryRuntime(), { left: left as LeftObjects });
  for (const agentUid of uids) await runtime.ensure({ ...spec, agentUid });
  runtime.stop = async (agentUid) => void done.push(`stop ${agentUid}`);
  await endOrphans({ db: fixture.database.db, runtime, logger, named });
  return done;
};

it.each(['no-uid', 'b1e7f0de-9d5c-4c4e-8a51-0d6f7b1f2c33'])(
  'retires what is there for %s, which no agent has',
  async (uid) => {
    expect(await doneAbout(uid)).toEqual([`retire ${uid}`]);
  },
);

it.each([
  ['waiting', false],
  ['removed', false],
  ['nothing', true],
] as const)('of an agent nobody knows: %s; what runs is stopped: %s', async (answer, isStopped) => {
  outcome = answer;
  expect(await doneAbout('no-uid')).toEqual(['retire no-uid', ...(isStopped ? ['stop no-uid'] : [])]);
  outcome = 'waiting';
});

it('keeps what is there for an agent that it knows, also one that sleeps', async () => {
  const { uid } = await fixture.call('createAgent', await fixture.person('ada'), { body: agentBody() });
  expect(await doneAbout(uid, 'no-uid')).toEqual([`keep ${uid}`, 'retire no-uid']);
});

it('names one that waits in the log once, and again when it was known meanwhile', async () => {
  const { uid } = await fixture.call('createAgent', await fixture.person('bob'), { body: agentBody() });
  logged.length = 0;
  named.clear();
  await doneAbout('no-uid');
  await doneAbout('no-uid');
  expect(logged.map((line) => (JSON.parse(line) as { agentUid: string }).agentUid)).toEqual(['no-uid']);
  expect(logged[0]).toContain('belongs to no agent');
  await doneAbout(uid);
  await doneAbout('no-uid');
  expect(logged).toHaveLength(2);
});

it('tells administrators how many there are, and until when they are', async () => {
  const { uid } = await fixture.call('createAgent', await fixture.person('eve'), { body: agentBody() });
  const check = (...uids: string[]) => orphansCheck(fixture.database.db, { agentUids: () => uids }).check();
  expect(await check(uid)).toMatchObject({ state: 'ok', fix: null });
  expect(await check(uid, 'no-uid', 'b1e7f0de-9d5c-4c4e-8a51-0d6f7b1f2c33')).toMatchObject({
    state: 'warning',
    detail: expect.stringMatching(/^2 sandboxes belong to no agent .*no-uid.* 24 hours/),
    fix: expect.stringContaining('Admin › Volumes'),
  });
});
