import { noPodLimits, type Agent } from '@sac/contracts';
import type { V1PersistentVolumeClaim } from '@kubernetes/client-node';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { agentBody } from '../../../test/agents.ts';
import { AGENT_IMAGE, running, seen, TestNamespace } from '../../../test/cluster.ts';
import { createTestGateway, type TestBrowser, type TestGateway } from '../../../test/gateway.ts';
import { defaultAgentPod } from '../../config/cluster.ts';
import type { Runtime } from '../../runtimes/runtime.ts';

const MISSING_IMAGE = 'registry.invalid/none:1';
const pod = {
  ...defaultAgentPod,
  resources: { requests: { cpu: '20m', memory: '96Mi' }, limits: { cpu: '2', memory: '1Gi' } },
  storageSize: '64Mi',
};

describe('what is chosen for an agent', () => {
  let namespace: TestNamespace;
  let runtime: Runtime;
  let test: TestGateway;
  let ada: TestBrowser;
  let agent: Agent;

  beforeAll(async () => {
    namespace = await TestNamespace.create();
    runtime = namespace.runtime({ pod });
    await runtime.start();
    const cluster = {
      namespaces: [namespace.name],
      installId: namespace.installId,
      clusterDomain: 'cluster.local',
      agentImage: AGENT_IMAGE,
      imagePullSecrets: [],
      clis: [],
      pod,
      limits: { cpu: '4', memory: '4Gi', storage: '1Gi', egress: 'internet' as const },
      images: [MISSING_IMAGE],
      runtimeClasses: [namespace.name],
      podIp: null,
    };
    test = await createTestGateway({ config: { cluster }, deps: { runtime } });
    ada = await test.person('ada');
    agent = (await ada.call('createAgent', { body: agentBody({ cli: 'shell', provider: null }) })).body;
    namespace.spec({ agentUid: agent.uid, agentId: agent.id, userId: ada.user?.id ?? '' });
    await ada.call('openSession', { body: { agentId: agent.id } });
    await running(runtime, agent.uid, 1);
  });
  afterAll(async () => {
    await test.close();
    await namespace.close();
  });

  const params = () => ({ agentId: agent.id });
  const choose = async (values: object): Promise<Agent['status']> => {
    const { status, body, error } = await ada.call('updateAgent', { params: params(), body: { pod: values } });
    expect(error.message, `${status}`).toBeUndefined();
    return body.status;
  };
  const restart = () => ada.call('restartAgent', { params: params(), body: {} });
  const shape = async () => {
    const there = await namespace.pod(agent.uid);
    const container = there?.spec?.containers.find(({ name }) => name === 'agent');
    return {
      uid: there?.metadata?.uid,
      egress: there?.metadata?.labels?.['sac.dev/egress'],
      image: container?.image,
      resources: container?.resources,
    };
  };

  it('leaves the pod alone until a restart, and then is what the pod has', async () => {
    const before = await shape();
    expect(before).toMatchObject({ egress: 'internet', resources: pod.resources });
    const values = { memoryLimit: '2Gi', cpuRequest: '50m', egress: 'none', storageSize: '128Mi' };
    expect(await choose(values)).toMatchObject({ restartRequired: true });
    expect(await shape()).toEqual(before);
    await restart();
    await running(runtime, agent.uid, 2);
    expect(await shape()).toMatchObject({
      egress: 'none',
      resources: { requests: { cpu: '50m', memory: '96Mi' }, limits: { cpu: '2', memory: '2Gi' } },
    });
    // The kernel holds the agent to it.
    const read = 'cat /sys/fs/cgroup/memory.max 2>/dev/null || cat /sys/fs/cgroup/memory/memory.limit_in_bytes';
    expect((await namespace.exec(agent.uid, ['sh', '-c', read])).trim()).toBe(String(2 * 2 ** 30));
    const path = namespace.pathOf('persistentvolumeclaims', agent.uid);
    const claim = await namespace.client.find<V1PersistentVolumeClaim>(path);
    expect(claim?.spec?.resources?.requests?.['storage']).toBe('128Mi');
  });

  it('starts anew by itself when an image that is not there is replaced', async () => {
    await choose({ image: MISSING_IMAGE });
    await restart();
    const failed = await seen(runtime, agent.uid, ({ state, generation }) => state === 'failed' && generation === 3);
    expect(failed.failure?.reason).toContain(MISSING_IMAGE);
    expect((await shape()).image).toBe(MISSING_IMAGE);
    await choose({ image: null });
    await running(runtime, agent.uid, 4);
    expect((await shape()).image).toBe(AGENT_IMAGE);
  });

  it('runs as the runtime class says', async () => {
    const path = '/apis/node.k8s.io/v1/runtimeclasses';
    const runtimeClass = { apiVersion: 'node.k8s.io/v1', kind: 'RuntimeClass', handler: 'runc' };
    await namespace.put(path, namespace.name, { ...runtimeClass, metadata: { name: namespace.name } });
    try {
      await choose({ runtimeClass: namespace.name });
      await restart();
      await running(runtime, agent.uid, 5);
      expect((await namespace.pod(agent.uid))?.spec?.runtimeClassName).toBe(namespace.name);
    } finally {
      await namespace.client.delete(`${path}/${namespace.name}`);
    }
    await choose({ runtimeClass: null });
  });

  it('is held by the limits of the account', async () => {
    const admin = await test.admin();
    const body = { podLimits: { ...noPodLimits, memory: '512Mi', egress: 'none' } };
    await admin.call('updateUserSettings', { params: { userId: ada.user?.id ?? '' }, body });
    expect((await ada.call('getAgent', { params: params() })).body.status.restartRequired).toBe(true);
    await restart();
    await running(runtime, agent.uid, 6);
    expect(await shape()).toMatchObject({ egress: 'none', resources: { limits: { memory: '512Mi' } } });
    const refused = await ada.call('updateAgent', { params: params(), body: { pod: { memoryLimit: '3Gi' } } });
    expect(refused.error.message).toContain('the limit is 512Mi');
  });
});
