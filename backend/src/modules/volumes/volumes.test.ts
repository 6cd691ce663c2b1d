import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { agentBody } from '../../../test/agents.ts';
import { createTestGateway, type TestBrowser, type TestGateway } from '../../../test/gateway.ts';
import { createMemoryRuntime } from '../../../test/memory-runtime.ts';
import type { LeftObjects, SandboxVolume } from '../../runtimes/runtime.ts';

const namespace = 'sac-agents-0';
let volumes: SandboxVolume[] = [];
let asked: string[] = [];
/** What a cluster does with these is for left-objects.cluster.test.ts. */
const left: LeftObjects = {
  volumes: () => volumes,
  agentUids: () => [],
  adopt: async ({ name }, agentUid) => void asked.push(`adopt ${name} ${agentUid}`),
  deleteVolume: async ({ name }) => void asked.push(`delete ${name}`),
  retire: async () => 'nothing',
  keep: () => Promise.resolve(),
};

let test: TestGateway;
let admin: TestBrowser;
let ada: TestBrowser;
let agent: { id: string; uid: string };
let userId: string;

beforeAll(async () => {
  test = await createTestGateway({ deps: { runtime: Object.assign(createMemoryRuntime(), { left }) } });
  admin = await test.admin();
  ada = await test.person('ada');
  agent = (await ada.call('createAgent', { body: agentBody({ name: 'Reader' }) })).body;
  const row = await test.db
    .selectFrom('agents')
    .select('owner_id')
    .where('uid', '=', agent.uid)
    .executeTakeFirstOrThrow();
  userId = row.owner_id;
});
afterAll(() => test.close());
beforeEach(() => {
  asked = [];
});

const volume = (change: Partial<SandboxVolume> = {}): SandboxVolume => {
  const base = { namespace, name: `home-claude-code-${userId}-${agent.id}-0`, agentUid: agent.uid, agentId: agent.id };
  return { ...base, userId, isOwn: true, size: '10Gi', createdAt: new Date('2026-01-02T03:04:05Z'), ...change };
};
const left1 = () => volume({ agentUid: randomUUID(), isOwn: false });
const params = (of: SandboxVolume) => ({ namespace: of.namespace, name: of.name });

describe('volumes that belong to no agent', () => {
  it('are for administrators alone', async () => {
    volumes = [left1()];
    for (const browser of [ada, test.browser()]) {
      const status = browser === ada ? 403 : 401;
      expect((await browser.call('listLeftVolumes')).status).toBe(status);
      expect((await browser.call('deleteVolume', { params: params(volumes[0]!) })).status).toBe(status);
      const body = { agentUid: agent.uid };
      expect((await browser.call('adoptVolume', { params: params(volumes[0]!), body })).status).toBe(status);
    }
    expect(asked).toEqual([]);
  });

  it('never include that of an agent, which can be neither deleted nor handed over, nor one that is not there', async () => {
    volumes = [volume()];
    expect((await admin.call('listLeftVolumes')).body.volumes).toEqual([]);
    expect((await admin.call('deleteVolume', { params: params(volume()) })).status).toBe(404);
    const body = { agentUid: agent.uid };
    expect((await admin.call('adoptVolume', { params: params(volume()), body })).status).toBe(404);
    volumes = [];
    expect((await admin.call('deleteVolume', { params: params(volume()) })).status).toBe(404);
    expect(asked).toEqual([]);
  });

  it('are listed with the agent whose name they have, and handed to that one only', async () => {
    volumes = [left1()];
    const [found] = (await admin.call('listLeftVolumes')).body.volumes;
    expect(found).toEqual({
      namespace,
      name: volumes[0]!.name,
      size: '10Gi',
      createdAt: '2026-01-02T03:04:05.000Z',
      isForeign: true,
      candidate: { uid: agent.uid, name: 'Reader', owner: 'ada' },
    });
    const wrong = await admin.call('adoptVolume', { params: params(volumes[0]!), body: { agentUid: randomUUID() } });
    expect(wrong.error.code).toBe('conflict');
    const right = await admin.call('adoptVolume', { params: params(volumes[0]!), body: { agentUid: agent.uid } });
    expect(right.status).toBe(204);
    expect(asked).toEqual([`adopt ${volumes[0]!.name} ${agent.uid}`]);
    const entry = await test.db
      .selectFrom('audit_log')
      .select('target_id')
      .where('action', '=', 'volume.adopted')
      .execute();
    expect(entry).toEqual([{ target_id: agent.uid }]);
  });

  it('are not for an agent of another owner, or one that has its own', async () => {
    const stranger = left1();
    volumes = [{ ...stranger, userId: '999' }];
    expect((await admin.call('listLeftVolumes')).body.volumes).toMatchObject([{ candidate: null }]);
    volumes = [stranger, volume({ namespace: 'sac-agents-1' })];
    expect((await admin.call('listLeftVolumes')).body.volumes).toMatchObject([{ namespace, candidate: null }]);
    const body = { agentUid: agent.uid };
    expect((await admin.call('adoptVolume', { params: params(stranger), body })).error.code).toBe('conflict');
  });

  it('are deleted when an administrator says so, and stand in the health until then', async () => {
    volumes = [
      volume({ agentUid: randomUUID(), agentId: '77', name: 'home-claude-code-1-77-0' }),
      volume({ agentId: 'x', name: 'odd' }),
    ];
    const { parts } = (await admin.call('adminHealth')).body;
    expect(parts.find(({ name }) => name === 'volumes')).toMatchObject({
      state: 'warning',
      detail: expect.stringContaining('2 volumes') as string,
    });
    expect((await admin.call('deleteVolume', { params: params(volumes[0]!) })).status).toBe(204);
    expect(asked).toEqual(['delete home-claude-code-1-77-0']);
    volumes = [];
    const after = (await admin.call('adminHealth')).body.parts.find(({ name }) => name === 'volumes');
    expect(after?.state).toBe('ok');
  });

  it('have names that are names', async () => {
    for (const name of ['..%2f..', 'A', 'a'.repeat(64), 'a/b'])
      expect([400, 404]).toContain((await admin.call('deleteVolume', { params: { namespace, name } })).status);
    expect(asked).toEqual([]);
  });
});
