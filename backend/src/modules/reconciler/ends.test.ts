import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import type { Agent } from '@sac/contracts';
import { agentBody, createAgentsFixture, type AgentsFixture } from '../../../test/agents.ts';
import type { AuthenticatedUser } from '../../lib/handlers.ts';

/** More than agents are started at the same time. */
const STUCK = 8;
const WAIT = { timeout: 20_000, interval: 20 };

let fixture: AgentsFixture;
let ada: AuthenticatedUser;
let letGo = (): void => undefined;

beforeAll(async () => {
  fixture = await createAgentsFixture();
  fixture.settings.agentsPerUser = 100;
  ada = await fixture.person('ada');
});
afterAll(async () => {
  letGo();
  await fixture.close();
});

const wake = (agent: Agent) => fixture.call('openSession', ada, { body: { agentId: agent.id } });
const sleep = (agent: Agent) => fixture.call('sleepAgent', ada, { params: { agentId: agent.id } });
const runs = (agent: Agent) =>
  vi.waitFor(() => expect(fixture.runtime.observed().get(agent.uid)?.state).toBe('running'), WAIT);
const running = async (): Promise<Agent> => {
  const agent = await fixture.call('createAgent', ada, { body: agentBody() });
  await wake(agent);
  await runs(agent);
  return agent;
};

it('starts an agent while more sandboxes than it starts at a time do not end, and never one that still ends', async () => {
  const stuck: Agent[] = [];
  for (let each = 0; each < STUCK; each += 1) stuck.push(await running());
  const stopping = new Set<string>();
  const { stop } = fixture.runtime;
  const released = new Promise<void>((resolve) => (letGo = resolve));
  fixture.runtime.stop = async (agentUid, options) => {
    stopping.add(agentUid);
    await released;
    await stop(agentUid, options);
  };
  for (const agent of stuck) await sleep(agent);
  await vi.waitFor(() => expect(stopping.size).toBe(STUCK), WAIT);

  await running();

  const [first] = stuck;
  if (first === undefined) throw new Error('none is stuck');
  const before = fixture.runtime.calls.length;
  await wake(first);
  await new Promise((resolve) => setTimeout(resolve, 500));
  expect(fixture.runtime.calls).toHaveLength(before);
  letGo();
  await vi.waitFor(
    () => expect(fixture.runtime.observed().get(first.uid)).toMatchObject({ state: 'running', generation: 2 }),
    WAIT,
  );
});
