import type { V1Pod } from '@kubernetes/client-node';
import { randomBytes } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { running, seen, TestNamespace } from '../../../test/cluster.ts';
import { waitFor } from '../../../test/sandbox-gateway.ts';
import { defaultAgentPod } from '../../config/cluster.ts';
import type { ObservedSandbox, Runtime, SandboxSpec } from '../runtime.ts';
import { pathOf } from './cluster-client.ts';

/** A cluster calls a node lost after 40 or 50 s of silence. */
const SILENT_NODE_MS = 90_000;
const LABEL = 'sac.dev/test-node';
const pod = { ...defaultAgentPod, resources: { requests: { cpu: '20m', memory: '96Mi' }, limits: {} } };
const told = ({ phases, failure }: ObservedSandbox): string =>
  [failure?.reason, ...phases.map(({ detail }) => detail)].filter((text) => text).join(' | ');

describe('nodes and volumes that do not do what they should', () => {
  let namespace: TestNamespace;
  let runtime: Runtime;
  /** What a test put outside the namespace, last first. */
  const outside: (() => Promise<void>)[] = [];

  beforeAll(async () => {
    namespace = await TestNamespace.create();
    runtime = namespace.runtime();
    await runtime.start();
  });
  afterEach(async () => {
    for (const remove of outside.splice(0).reverse()) await remove();
  });
  afterAll(() => namespace.close());

  const put = async (collection: string, name: string, object: object): Promise<void> => {
    outside.push(() => namespace.client.delete(`${collection}/${name}`));
    await namespace.put(collection, name, object);
  };
  const patch = (path: string, body: object) =>
    namespace.client.call({ method: 'PATCH', path, body, contentType: 'application/merge-patch+json' });
  const podOf = async ({ agentUid }: SandboxSpec): Promise<V1Pod> =>
    waitFor(
      async () => (await namespace.pod(agentUid)) ?? undefined,
      20_000,
      () => 'no pod',
    );
  /** A volume that only this test's sandboxes take, on the node of that name. */
  const volumeOn = async (node: string, storageClass: string): Promise<void> => {
    const values = [node];
    await put('/api/v1/persistentvolumes', storageClass, {
      apiVersion: 'v1',
      kind: 'PersistentVolume',
      metadata: { name: storageClass },
      spec: {
        capacity: { storage: '64Mi' },
        accessModes: ['ReadWriteOnce'],
        persistentVolumeReclaimPolicy: 'Retain',
        storageClassName: storageClass,
        local: { path: `/no-such-path/${storageClass}` },
        nodeAffinity: {
          required: {
            nodeSelectorTerms: [{ matchExpressions: [{ key: 'kubernetes.io/hostname', operator: 'In', values }] }],
          },
        },
      },
    });
  };
  /** Ends what no kubelet ends. */
  const drop = async (spec: SandboxSpec): Promise<void> => {
    await namespace.client.delete(namespace.pathOf('statefulsets', spec.agentUid));
    await namespace.client.delete(namespace.pathOf('pods', spec.agentUid), { graceSeconds: 0 });
  };

  it('a node is closed and emptied: words until it is open again, then it runs with its files', async () => {
    const spec = namespace.spec();
    await runtime.ensure(spec);
    await running(runtime, spec.agentUid);
    await namespace.exec(spec.agentUid, ['touch', '/workspace/mark']);
    const before = await podOf(spec);
    const node = `/api/v1/nodes/${before.spec?.nodeName}`;
    outside.push(async () => void (await patch(node, { spec: { unschedulable: null } })));
    await patch(node, { spec: { unschedulable: true } });
    const { name, uid } = before.metadata ?? {};
    await namespace.client.call({
      method: 'POST',
      path: `${pathOf('pods', namespace.name, name)}/eviction`,
      body: { apiVersion: 'policy/v1', kind: 'Eviction', metadata: { name, namespace: namespace.name } },
    });
    const waiting = await seen(runtime, spec.agentUid, (sandbox) => /closed/.test(told(sandbox)));
    expect(waiting).toMatchObject({ state: 'starting', generation: 1 });
    expect(told(waiting)).toMatch(/^No node takes the sandbox: [0-9]+ of them (?:is|are) closed for maintenance\.$/);
    await patch(node, { spec: { unschedulable: null } });
    await running(runtime, spec.agentUid);
    expect((await podOf(spec)).metadata?.uid).not.toBe(uid);
    await namespace.exec(spec.agentUid, ['ls', '/workspace/mark']);
    await runtime.stop(spec.agentUid, { graceMs: 0 });
  });

  /** A node without a machine: what its kubelet would say the test says. */
  const makeNode = async () => {
    const name = `sac-test-node-${randomBytes(4).toString('hex')}`;
    const sayReady = () => {
      const at = new Date().toISOString();
      const times = { lastHeartbeatTime: at, lastTransitionTime: at };
      const condition = { type: 'Ready', status: 'True', reason: 'KubeletReady', message: '', ...times };
      const amounts = { cpu: '4', memory: '4Gi', pods: '10' };
      return patch(`/api/v1/nodes/${name}/status`, {
        status: { capacity: amounts, allocatable: amounts, conditions: [condition] },
      });
    };
    await put('/api/v1/nodes', name, {
      apiVersion: 'v1',
      kind: 'Node',
      metadata: { name, labels: { [LABEL]: name, 'kubernetes.io/hostname': name } },
      spec: { taints: [{ key: LABEL, effect: 'NoSchedule' }] },
    });
    await sayReady();
    return { name, sayReady };
  };
  const sayRunning = async (spec: SandboxSpec): Promise<void> => {
    const at = new Date().toISOString();
    const condition = (type: string) => ({ type, status: 'True', lastTransitionTime: at });
    const container = (name: string) => ({
      name,
      ready: true,
      started: true,
      restartCount: 0,
      image: 'image',
      imageID: 'image',
      state: { running: { startedAt: at } },
    });
    await patch(`${namespace.pathOf('pods', spec.agentUid)}/status`, {
      status: {
        phase: 'Running',
        podIP: '192.0.2.1',
        podIPs: [{ ip: '192.0.2.1' }],
        conditions: ['PodScheduled', 'Initialized', 'ContainersReady', 'Ready'].map(condition),
        containerStatuses: ['sidecar', 'agent'].map(container),
      },
    });
  };

  it('a node does not answer any more: said with its name, and over when it is back', async () => {
    const node = await makeNode();
    await volumeOn(node.name, node.name);
    const patient = namespace.runtime({
      pod: {
        ...pod,
        storageClass: node.name,
        storageSize: '64Mi',
        nodeSelector: { [LABEL]: node.name },
        tolerations: [{ key: LABEL, operator: 'Exists' }],
      },
    });
    await patient.start();
    const spec = namespace.spec();
    await patient.ensure(spec);
    await waitFor(
      async () => (await namespace.pod(spec.agentUid))?.spec?.nodeName,
      30_000,
      () => JSON.stringify(patient.observed().get(spec.agentUid)),
    );
    await sayRunning(spec);
    await running(patient, spec.agentUid);
    // Nothing is heard of the node from now on, until its time is over.
    const lost = await seen(patient, spec.agentUid, (sandbox) => told(sandbox) !== '', SILENT_NODE_MS);
    expect(told(lost)).toBe(`The node ${node.name} does not answer.`);
    expect(lost.upstream).toBeNull();
    await node.sayReady();
    await sayRunning(spec);
    expect(await running(patient, spec.agentUid)).toMatchObject({ failure: null });
    await drop(spec);
    await patient.close();
  });

  it('a volume cannot be mounted, and is still attached elsewhere: what of the two', async () => {
    const storageClass = `sac-test-volume-${randomBytes(4).toString('hex')}`;
    const spec = namespace.spec();
    const nodes = await namespace.client.call<{ items: { metadata: { name: string } }[] }>({
      method: 'GET',
      path: '/api/v1/nodes',
      query: { labelSelector: '!sac.dev/fake-node' },
    });
    await volumeOn(nodes.items[0]?.metadata.name ?? '', storageClass);
    const settings = { pod: { ...pod, storageClass, storageSize: '64Mi' } };
    const patient = namespace.runtime(settings);
    await patient.start();
    await patient.ensure(spec);
    const unmounted = await seen(patient, spec.agentUid, (sandbox) => /cannot be attached/.test(told(sandbox)));
    expect(unmounted.state).toBe('starting');
    expect(told(unmounted)).toContain(`/no-such-path/${storageClass}`);
    const { metadata } = await podOf(spec);
    const { name, namespace: place, uid } = metadata ?? {};
    // As the controller that attaches volumes says it; here there is nothing to attach.
    await namespace.put(pathOf('events', namespace.name), `${name}.attach`, {
      apiVersion: 'v1',
      kind: 'Event',
      metadata: { name: `${name}.attach`, namespace: place },
      involvedObject: { apiVersion: 'v1', kind: 'Pod', name, namespace: place, uid },
      type: 'Warning',
      reason: 'FailedAttachVolume',
      message: `Multi-Attach error for volume "${storageClass}" Volume is already exclusively attached to one node and can't be attached to another`,
      // Later than what the kubelet goes on saying.
      lastTimestamp: new Date(Date.now() + 60_000).toISOString(),
      source: { component: 'attachdetach-controller' },
    });
    await patient.close();
    const other = namespace.runtime({ ...settings, patienceMs: 1_000 });
    await other.start();
    await other.ensure(spec);
    const failed = await seen(other, spec.agentUid, ({ state }) => state === 'failed');
    expect(failed.failure).toMatchObject({ code: 'volume_unavailable' });
    expect(failed.failure?.reason).toBe('The volume is still attached to another node.');
    await drop(spec);
    await other.close();
  });
});
