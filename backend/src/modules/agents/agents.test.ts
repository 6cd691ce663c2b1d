import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { agentBody, createAgentsFixture, type AgentsFixture } from '../../../test/agents.ts';
import type { AuthenticatedUser } from '../../lib/handlers.ts';
import { UNDO_OFFERED_MS } from './lifetimes.ts';

let fixture: AgentsFixture;
let ada: AuthenticatedUser;
let bob: AuthenticatedUser;

beforeAll(async () => {
  fixture = await createAgentsFixture({ start: false, demo: { modelUrl: 'http://127.0.0.1:9' } });
  ada = await fixture.person('ada');
  bob = await fixture.person('bob');
});
afterAll(() => fixture.close());

const create = (user: AuthenticatedUser, changes = {}) =>
  fixture.call('createAgent', user, { body: agentBody(changes) });
const params = (agentId: string) => ({ params: { agentId } });

it('what an agent takes is what its runtime says; null where that cannot say', async () => {
  const agent = await create(ada, { name: 'Measured' });
  expect(await fixture.call('getUsage', ada, params(agent.id))).toEqual({ usage: null });
  const usage = { cpu: 0.4, cpuLimit: 2, memoryBytes: 1, memoryLimitBytes: null, measuredAt: new Date().toISOString() };
  fixture.runtime.usage = (agentUid) => Promise.resolve(agentUid === agent.uid ? usage : null);
  expect(await fixture.call('getUsage', ada, params(agent.id))).toEqual({ usage });
  await fixture.call('deleteAgent', ada, params(agent.id));
});

describe('creating an agent', () => {
  it('stores what was given and starts nothing', async () => {
    const body = agentBody({ name: 'Reviewer', environment: [{ name: 'CI', value: '1' }], instructions: 'Be brief.' });
    const agent = await fixture.call('createAgent', ada, { body });
    expect(agent).toMatchObject({
      ...body,
      hasProviderToken: false,
      generation: 0,
      status: { state: 'asleep', failure: null, restartRequired: false },
    });
    expect(await fixture.call('getAgent', ada, params(agent.id))).toEqual(agent);
    expect(fixture.runtime.calls).toEqual([]);
  });

  it('never gives the token back, and stores it sealed', async () => {
    const providerToken = `sk-${randomBytes(16).toString('hex')}`;
    const agent = await create(ada, { providerToken });
    expect(agent.hasProviderToken).toBe(true);
    expect(JSON.stringify([agent, await fixture.call('listAgents', ada)])).not.toContain(providerToken);
    const secrets = await fixture.database.db
      .selectFrom('agent_secrets')
      .selectAll()
      .where('agent_id', '=', agent.id)
      .execute();
    expect(secrets).toHaveLength(1);
    expect(secrets[0]?.sealed.includes(Buffer.from(providerToken))).toBe(false);
  });

  it('refuses a name that differs only in case or width, per owner', async () => {
    await create(ada, { name: 'Straße One' });
    await expect(create(ada, { name: 'STRAßE ONE' })).rejects.toMatchObject({ code: 'name_taken' });
    await expect(create(ada, { name: 'Straße Ｏｎｅ' })).rejects.toMatchObject({ code: 'name_taken' });
    await expect(create(bob, { name: 'Straße One' })).resolves.toMatchObject({ name: 'Straße One' });
  });

  it.each([
    ['a protocol the CLI does not speak', { cli: 'codex' }, '/provider/protocol'],
    ['no provider', { provider: null }, '/provider'],
    ['a provider for a shell', { cli: 'shell' }, '/provider'],
    ['an unknown preset', { provider: { ...agentBody().provider, preset: 'nobody' } }, '/provider/preset'],
    [
      'a metadata address',
      { provider: { ...agentBody().provider, preset: 'custom', baseUrl: 'http://169.254.169.254/latest' } },
      '/provider/baseUrl',
    ],
    [
      'a password in the address',
      { provider: { ...agentBody().provider, preset: 'custom', baseUrl: 'https://a:b@example.org' } },
      '/provider/baseUrl',
    ],
    [
      'no address at all',
      { provider: { ...agentBody().provider, preset: 'custom', baseUrl: 'http://[' } },
      '/provider/baseUrl',
    ],
    ['a reserved variable', { environment: [{ name: 'ld_preload', value: 'x' }] }, '/environment/0/name'],
    [
      'a variable twice',
      {
        environment: [
          { name: 'A', value: '1' },
          { name: 'A', value: '2' },
        ],
      },
      '/environment/1/name',
    ],
    ['a bad proxy', { proxy: { httpProxy: 'http://[', httpsProxy: null, noProxy: null } }, '/proxy/httpProxy'],
  ])('refuses %s and names the field', async (_name, changes, path) => {
    await expect(create(ada, changes)).rejects.toMatchObject({
      code: 'invalid_request',
      details: { fields: [{ path }] },
    });
  });

  it('accepts a shell without provider, and the demo model when it is on', async () => {
    await expect(create(ada, { cli: 'shell', provider: null })).resolves.toMatchObject({
      cli: 'shell',
      provider: null,
    });
    await expect(
      create(ada, { provider: { ...agentBody().provider, preset: 'demo', baseUrl: 'http://127.0.0.1:1' } }),
    ).resolves.toMatchObject({ cli: 'claude-code' });
  });

  it('keeps to the limit, also when asked for many at once', async () => {
    const eve = await fixture.person('eve');
    const results = await Promise.allSettled(Array.from({ length: 15 }, () => create(eve)));
    expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(10);
    const refused = results.filter((result) => result.status === 'rejected');
    for (const { reason } of refused) expect(reason).toMatchObject({ code: 'limit_reached', details: { limit: 10 } });
  });

  it('counts those that are deleted and still kept', async () => {
    const hal = await fixture.person('hal');
    for (let count = 0; count < 100; count += 1) await fixture.call('deleteAgent', hal, params((await create(hal)).id));
    await expect(create(hal)).rejects.toMatchObject({
      code: 'limit_reached',
      message: expect.stringContaining('erased'),
    });
  });

  it('is refused for a user where sandboxes cannot be isolated, with the fix', async () => {
    const admin = await fixture.person('root1', 'admin');
    fixture.runtime.isolationNow = { isolated: false, reason: 'bubblewrap is missing.', fix: 'Install it.' };
    try {
      const refusal = {
        code: 'isolation_unavailable',
        details: { reason: 'bubblewrap is missing.', fix: 'Install it.' },
      };
      await expect(create(ada)).rejects.toMatchObject(refusal);
      await expect(create(admin)).resolves.toMatchObject({ status: { isolated: false } });
    } finally {
      fixture.runtime.isolationNow = { isolated: true, reason: null, fix: null };
    }
  });
});

describe('changing an agent', () => {
  it('changes only the fields given', async () => {
    const agent = await create(bob, { providerToken: 'secret' });
    const changed = await fixture.call('updateAgent', bob, { ...params(agent.id), body: { description: 'new' } });
    expect({ ...changed, updatedAt: '' }).toEqual({ ...agent, description: 'new', updatedAt: '' });
  });

  it('removes the token when told so', async () => {
    const agent = await create(bob, { providerToken: 'secret' });
    expect(
      await fixture.call('updateAgent', bob, { ...params(agent.id), body: { providerToken: null } }),
    ).toMatchObject({ hasProviderToken: false });
  });

  it('checks the whole: a new CLI must fit the provider there is', async () => {
    const agent = await create(bob);
    await expect(
      fixture.call('updateAgent', bob, { ...params(agent.id), body: { cli: 'gemini' } }),
    ).rejects.toMatchObject({ code: 'invalid_request' });
    await expect(
      fixture.call('updateAgent', bob, { ...params(agent.id), body: { cli: 'shell', provider: null } }),
    ).resolves.toMatchObject({ cli: 'shell' });
  });

  it('refuses the name of another own agent', async () => {
    const [first, second] = [await create(bob), await create(bob)];
    await expect(
      fixture.call('updateAgent', bob, { ...params(second.id), body: { name: first.name } }),
    ).rejects.toMatchObject({ code: 'name_taken' });
  });
});

describe('deleting an agent', () => {
  it('can be undone, with everything', async () => {
    const cyd = await fixture.person('cyd');
    const agent = await create(cyd, { providerToken: 'secret' });
    const { restorableUntil } = await fixture.call('deleteAgent', cyd, params(agent.id));
    expect(Date.parse(restorableUntil) - Date.now()).toBeGreaterThan(5_000);
    expect(Date.parse(restorableUntil) - Date.now()).toBeLessThanOrEqual(UNDO_OFFERED_MS);
    await expect(fixture.call('getAgent', cyd, params(agent.id))).rejects.toMatchObject({ code: 'not_found' });
    await expect(fixture.call('deleteAgent', cyd, params(agent.id))).rejects.toMatchObject({ code: 'not_found' });
    expect((await fixture.events(cyd)).at(-1)).toEqual({ type: 'agent-deleted', agentId: agent.id });
    expect(await fixture.call('restoreAgent', cyd, params(agent.id))).toMatchObject({
      id: agent.id,
      hasProviderToken: true,
    });
    await expect(fixture.call('restoreAgent', cyd, params(agent.id))).rejects.toMatchObject({ code: 'not_found' });
  });

  it('frees the name; undo then says that it is taken', async () => {
    const dan = await fixture.person('dan');
    const agent = await create(dan, { name: 'Same' });
    await fixture.call('deleteAgent', dan, params(agent.id));
    await create(dan, { name: 'same' });
    await expect(fixture.call('restoreAgent', dan, params(agent.id))).rejects.toMatchObject({ code: 'name_taken' });
  });

  it('does not let undo go beyond the limit', async () => {
    const fay = await fixture.person('fay');
    const agent = await create(fay);
    await fixture.call('deleteAgent', fay, params(agent.id));
    for (let count = 0; count < 10; count += 1) await create(fay);
    await expect(fixture.call('restoreAgent', fay, params(agent.id))).rejects.toMatchObject({ code: 'limit_reached' });
  });
});
