import { noPodLimits, noPodValues, type Agent, type CreateAgentBody } from '@sac/contracts';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { agentBody } from '../../../test/agents.ts';
import { createTestGateway, type TestBrowser, type TestGateway } from '../../../test/gateway.ts';
import { defaultAgentPod, type ClusterConfig } from '../../config/cluster.ts';

const cluster: ClusterConfig = {
  namespaces: ['agents-0'],
  installId: 'test',
  clusterDomain: 'cluster.local',
  agentImage: 'registry.example/sac-agent:1',
  imagePullSecrets: [],
  clis: ['claude-code'],
  pod: defaultAgentPod,
  limits: { cpu: '16', memory: '64Gi', storage: '200Gi', egress: 'internet' },
  images: ['registry.example/data:2'],
  runtimeClasses: ['gvisor'],
  podIp: null,
};

let test: TestGateway;
let admin: TestBrowser;
let ada: TestBrowser;
beforeAll(async () => {
  test = await createTestGateway({ config: { cluster } });
  admin = await test.admin();
  ada = await test.person('ada');
});
afterAll(() => test.close());

const userParams = (page: TestBrowser) => ({ userId: page.user?.id ?? '' });
const create = async (changes: Partial<CreateAgentBody> = {}): Promise<Agent> =>
  (await ada.call('createAgent', { body: agentBody({ cli: 'shell', provider: null, ...changes }) })).body;
const update = (agent: Agent, body: object) => ada.call('updateAgent', { params: { agentId: agent.id }, body });
const get = async (agent: Agent): Promise<Agent> =>
  (await ada.call('getAgent', { params: { agentId: agent.id } })).body;
const running = (agent: Agent, generation: number): Promise<void> =>
  vi.waitFor(
    () => {
      const seen = test.runtime.observed().get(agent.uid);
      expect([seen?.state, seen?.generation]).toEqual(['running', generation]);
    },
    { timeout: 20_000 },
  );
const open = async (agent: Agent): Promise<void> => {
  expect((await ada.call('openSession', { body: { agentId: agent.id } })).status).toBe(201);
};

describe("an agent's pod", () => {
  it('is asked for when it differs, and waits for a restart', async () => {
    const agent = await create();
    expect(agent.pod).toEqual(noPodValues);
    await open(agent);
    await running(agent, 1);
    expect(test.runtime.specs.get(agent.uid)).not.toHaveProperty('pod');
    const changed = await update(agent, { pod: { memoryLimit: '8Gi', egress: 'none' } });
    expect(changed.body).toMatchObject({ pod: { ...noPodValues, memoryLimit: '8Gi', egress: 'none' } });
    expect(changed.body.status).toMatchObject({ restartRequired: true });
    expect(test.runtime.specs.get(agent.uid)?.generation).toBe(1);
    // What it gets anyway is no difference.
    expect((await update(agent, { pod: { memoryLimit: '4Gi', egress: null } })).body.status.restartRequired).toBe(
      false,
    );
    await update(agent, { pod: { memoryLimit: '8Gi', image: 'registry.example/data:2', runtimeClass: 'gvisor' } });
    await ada.call('restartAgent', { params: { agentId: agent.id }, body: {} });
    await running(agent, 2);
    expect(test.runtime.specs.get(agent.uid)?.pod).toEqual({
      resources: { requests: { cpu: '250m', memory: '1Gi' }, limits: { cpu: '2', memory: '8Gi' } },
      image: 'registry.example/data:2',
      runtimeClassName: 'gvisor',
    });
    expect((await get(agent)).status.restartRequired).toBe(false);
    expect((await update(agent, { pod: { storageSize: '5Gi' } })).error.details?.fields).toEqual([
      { path: '/pod/storageSize', message: expect.stringContaining('cannot shrink') as string },
    ]);
  });

  it('is refused in words beyond the limits, when it is made and when it changes', async () => {
    const message =
      '4Ti is more than one agent may have: the limit is 64Gi. Choose at most 64Gi, or ask an administrator to raise the limit.';
    const made = await ada.call('createAgent', { body: agentBody({ pod: { memoryLimit: '4Ti' } }) });
    expect([made.status, made.error.message]).toEqual([400, message]);
    const agent = await create();
    const changed = await update(agent, { pod: { memoryLimit: '4Ti' } });
    expect(changed.error).toMatchObject({
      code: 'invalid_request',
      details: { fields: [{ path: '/pod/memoryLimit', message }] },
    });
    expect((await get(agent)).pod).toEqual(noPodValues);
  });

  it.each([
    { memory: '1Gi' },
    { memoryLimit: 4 },
    { memoryLimit: '' },
    { memoryLimit: '1'.repeat(33) },
    { egress: 'everything' },
    { image: 'a b' },
    { image: '\u0000' },
    { image: 'x'.repeat(513) },
    { runtimeClass: 'x'.repeat(254) },
    [],
    null,
    'large',
  ])('is not %j', async (pod) => {
    const { error } = await ada.call('createAgent', { body: { ...agentBody(), pod } });
    expect(error.code).toBe('invalid_request');
  });

  it('follows what an administrator decides for everybody and for one account', async () => {
    const agent = await create();
    await open(agent);
    await running(agent, 1);
    const everybody = { podDefaults: { ...noPodValues, cpuLimit: '3', memoryLimit: '5Gi' } };
    expect((await admin.call('updateSettings', { body: everybody })).body).toMatchObject(everybody);
    expect((await get(agent)).status.restartRequired).toBe(true);
    const account = { podLimits: { ...noPodLimits, memory: '2Gi' } };
    const answer = await admin.call('updateUserSettings', { params: userParams(ada), body: account });
    expect(answer.body.settings).toMatchObject(account);
    expect(answer.body.inherited.podDefaults).toMatchObject({ cpuLimit: '3', memoryLimit: '5Gi', cpuRequest: '250m' });
    expect(answer.body.inherited.podLimits).toEqual(cluster.limits);
    await ada.call('restartAgent', { params: { agentId: agent.id }, body: {} });
    await running(agent, 2);
    expect(test.runtime.specs.get(agent.uid)?.pod?.resources?.limits).toEqual({ cpu: '3', memory: '2Gi' });
    expect((await update(agent, { pod: { memoryLimit: '3Gi' } })).error.message).toContain('the limit is 2Gi');
    const { pod } = (await ada.call('getCapabilities')).body;
    expect(pod).toMatchObject({
      limits: { ...cluster.limits, memory: '2Gi' },
      levels: { installation: { memoryLimit: '4Gi' }, system: everybody.podDefaults, user: noPodValues },
      images: ['registry.example/sac-agent:1', 'registry.example/data:2'],
      runtimeClasses: ['gvisor'],
    });
    expect((await admin.call('getCapabilities')).body.pod?.limits).toEqual(cluster.limits);
    await admin.call('updateSettings', { body: { podDefaults: noPodValues } });
    await admin.call('updateUserSettings', { params: userParams(ada), body: { podLimits: noPodLimits } });
    expect((await get(agent)).status.restartRequired).toBe(true);
  });

  it('is not started with an image that is not allowed any more, and says so', async () => {
    const agent = await create();
    const pod = JSON.stringify({ image: 'registry.example/gone:1' });
    await test.db.updateTable('agents').set({ pod }).where('id', '=', agent.id).execute();
    await open(agent);
    await vi.waitFor(
      async () => expect((await get(agent)).status.failure).toMatchObject({ code: 'image_not_allowed' }),
      { timeout: 20_000 },
    );
    // Another image starts it by itself: there is nothing to lose.
    await update(agent, { pod: { image: null } });
    await running(agent, 2);
  });
});

describe('what is different for one account', () => {
  it('is its number of agents and its time until sleep', async () => {
    const bob = await test.person('bob');
    const params = userParams(bob);
    const nothing = { agentsPerUser: null, idleMinutes: null, podDefaults: noPodValues, podLimits: noPodLimits };
    expect((await admin.call('getUserSettings', { params })).body.settings).toEqual(nothing);
    const body = { agentsPerUser: 0, idleMinutes: 7 };
    expect((await admin.call('updateUserSettings', { params, body })).body.settings).toEqual({ ...nothing, ...body });
    expect((await bob.call('getCapabilities')).body.idleMinutes).toBe(7);
    expect((await bob.call('listAgents')).body.limit).toBe(0);
    expect((await bob.call('createAgent', { body: agentBody() })).error.code).toBe('limit_reached');
    const back = { agentsPerUser: null, idleMinutes: null };
    expect((await admin.call('updateUserSettings', { params, body: back })).body.settings).toEqual(nothing);
    expect((await bob.call('createAgent', { body: agentBody() })).status).toBe(201);
    const actions = test.db.selectFrom('audit_log').select('details').where('action', '=', 'user.setting_changed');
    expect((await actions.execute()).map(({ details }) => details)).toContainEqual({ key: 'idleMinutes', value: 7 });
  });

  it.each([
    { agentsPerUser: -1 },
    { agentsPerUser: 1001 },
    { idleMinutes: 10_081 },
    { podDefaults: {} },
    { podDefaults: { ...noPodValues, memoryLimit: '65Gi' } },
    { podDefaults: { ...noPodValues, memoryRequest: '5Gi' } },
    { podDefaults: { ...noPodValues, image: 'elsewhere/x:1' } },
    { podLimits: { ...noPodLimits, cpu: 'a lot' } },
    { registration: 'open' },
    [],
  ])('is not %j', async (body) => {
    const answer = await admin.call('updateUserSettings', { params: userParams(ada), body });
    expect(answer.error.code).toBe('invalid_request');
  });

  it('is for administrators, and for accounts that are there', async () => {
    const params = userParams(ada);
    for (const name of ['getUserSettings', 'updateUserSettings'] as const) {
      const body = name === 'updateUserSettings' ? { body: { agentsPerUser: 100 } } : {};
      expect((await ada.call(name, { params, ...body })).error.code).toBe('forbidden');
      expect((await test.browser().call(name, { params, ...body })).error.code).toBe('unauthenticated');
      expect((await admin.call(name, { params: { userId: '999999' }, ...body })).error.code).toBe('not_found');
    }
  });
});
