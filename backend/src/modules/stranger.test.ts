import { agentRoutes, promptRoutes, sessionRoutes } from '@sac/contracts';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { Readable } from 'node:stream';
import { agentBody, createAgentsFixture, terminal, type AgentsFixture } from '../../test/agents.ts';
import type { AuthenticatedUser } from '../lib/handlers.ts';
import type { AgentFeatures } from './agent-features.ts';

type Name = keyof AgentFeatures['handlers'];

let fixture: AgentsFixture;
let bob: AuthenticatedUser;
let admin: AuthenticatedUser;
const ids = { agentId: '', sessionId: '', promptId: '' };

beforeAll(async () => {
  fixture = await createAgentsFixture();
  const ada = await fixture.person('ada');
  bob = await fixture.person('bob');
  admin = await fixture.person('root', 'admin');
  const agent = await fixture.call('createAgent', ada, { body: agentBody({ providerToken: 'secret' }) });
  const { session } = await fixture.call('openSession', ada, { body: { agentId: agent.id } });
  await vi.waitFor(() => expect(fixture.runtime.observed().get(agent.uid)?.state).toBe('running'));
  await fixture.report(agent.uid, 1, { terminals: [terminal(), terminal('shell-1')] });
  const prompt = await fixture.call('sendPrompt', ada, {
    params: { agentId: agent.id },
    body: { clientRequestId: 'request-1', text: 'hello' },
  });
  Object.assign(ids, { agentId: agent.id, sessionId: session.id, promptId: prompt.id });
});
afterAll(() => fixture.close());

/** What each route would get from the owner; routes that name no object are the exception and say so. */
const bodies: Partial<Record<Name, object>> = {
  updateAgent: { name: 'stolen' },
  openSession: {},
  sendPrompt: { clientRequestId: 'request-2', text: 'hello' },
  reorderPrompts: { promptIds: ['1'] },
  retryPrompt: { settledAt: new Date().toISOString() },
  createTicket: { mode: 'control' },
  testConnection: { cli: 'claude-code', provider: agentBody().provider },
};
const namesNothing: readonly Name[] = ['listAgents', 'createAgent'];
const names = (Object.keys({ ...agentRoutes, ...sessionRoutes, ...promptRoutes }) as Name[]).filter(
  (name) => !namesNothing.includes(name),
);

const callAs = (name: Name, user: AuthenticatedUser) => {
  const takesIdInBody = name === 'openSession' || name === 'testConnection';
  const body = { ...bodies[name], ...(takesIdInBody && { agentId: ids.agentId }) };
  return fixture.call(name, user, {
    params: { ...ids, name: 'shell-1' },
    query: { name: 'a.txt' },
    body,
    ...(name === 'uploadFile' && { stream: Readable.from(['x']) }),
  });
};

describe("somebody else's agent", () => {
  it.each(names)('%s: does not exist for a stranger, nor for an administrator', async (name) => {
    await expect(callAs(name, bob)).rejects.toMatchObject({ code: 'not_found' });
    await expect(callAs(name, admin)).rejects.toMatchObject({ code: 'not_found' });
  });

  it('is not in the list of a stranger, who is told nothing about it', async () => {
    expect((await fixture.call('listAgents', bob)).agents).toEqual([]);
    expect(await fixture.events(bob)).toEqual([]);
  });

  it('is untouched after all that', async () => {
    const row = await fixture.database.db
      .selectFrom('agents')
      .select(['name', 'generation', 'deleted_at', 'desired_state'])
      .where('id', '=', ids.agentId)
      .executeTakeFirst();
    expect(row).toMatchObject({ generation: 1, deleted_at: null, desired_state: 'awake' });
    expect(row?.name).not.toBe('stolen');
    expect(await fixture.database.db.selectFrom('commands').select('kind').execute()).toEqual([]);
    expect(await fixture.database.db.selectFrom('prompts').select('state').execute()).toEqual([{ state: 'queued' }]);
  });
});
