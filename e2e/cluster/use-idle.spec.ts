import { expect, test } from '@playwright/test';
import type { ApiUser } from '../support/api.ts';
import { admin, agentOnDemoModel, openNewAgent, stateOf, viewer, waitForState } from '../support/cluster-people.ts';
import { cluster } from '../support/cluster.ts';

/** The shortest there is; what is idle is looked for every 30 s. */
const IDLE_MINUTES = 1;
const ASLEEP_WITHIN_MS = 150_000;
const UPLOADS = 8;

let user: ApiUser;
test.beforeAll(async () => {
  user = await admin('idler');
});

const shellAgent = (name: string) =>
  agentOnDemoModel(name, { cli: 'shell', provider: null, idleMinutes: IDLE_MINUTES });
const whyOf = async (agentId: string): Promise<string> =>
  (await user.call('explainAwake', { params: { agentId } })).code;

test('an agent nobody uses falls asleep beside one that works and one that is kept awake; opening it wakes it', async () => {
  test.setTimeout(600_000);
  const kept = await openNewAgent(user, shellAgent('Kept'));
  await user.call('keepAwake', { params: { agentId: kept.agentId }, body: { minutes: 30 } });
  const working = await openNewAgent(user, shellAgent('Working'));
  const job = await viewer(user, working);
  job.type('sleep 1000\n');
  const forgotten = await openNewAgent(user, shellAgent('Forgotten'));
  // A tab that is open and not used; when it is cut off it asks for a ticket again and again.
  const tab = await viewer(user, forgotten);

  await waitForState(user, forgotten.agentId, /asleep/, ASLEEP_WITHIN_MS);
  expect(await whyOf(forgotten.agentId)).toBe('slept_idle');
  expect([await whyOf(working.agentId), await whyOf(kept.agentId)]).toEqual(['foreground_job', 'kept_awake']);
  await new Promise((resolve) => setTimeout(resolve, 5_000));
  expect(await stateOf(user, forgotten.agentId)).toBe('asleep');
  tab.close();

  await user.call('openSession', { body: { agentId: forgotten.agentId } });
  await waitForState(user, forgotten.agentId, /ready/);
  // Nothing but the job held it.
  job.type('\u0003');
  await waitForState(user, working.agentId, /asleep/, ASLEEP_WITHIN_MS);
  expect(await whyOf(working.agentId)).toBe('slept_idle');
  expect(await stateOf(user, kept.agentId)).toBe('ready');
  job.close();
});

test('files arrive whichever replica of api-gateway takes them', async () => {
  const { agentId } = await openNewAgent(user, shellAgent('Files'));
  const statuses: number[] = [];
  for (let index = 0; index < UPLOADS; index += 1) {
    const answer = await fetch(`${cluster.origin}/api/agents/${agentId}/uploads?name=file-${index}.bin`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${user.signedIn.accessToken}`,
        'content-type': 'application/octet-stream',
        origin: cluster.origin,
        connection: 'close', // each by a connection of its own, so that the replicas take turns
      },
      body: Buffer.alloc(1_000_000, index),
    });
    statuses.push(answer.status);
    await answer.text();
  }
  expect(statuses).toEqual(Array.from({ length: UPLOADS }, () => 201));
});
