import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { KubeConfig } from '@kubernetes/client-node';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { running, seen, TestNamespace } from '../../../test/cluster.ts';
import type { ObservedSandbox, Runtime, SandboxSpec } from '../runtime.ts';
import { pathOf, type ClusterObject } from './cluster-client.ts';
import { claimNameOf } from './names.ts';
import { labelNames } from './objects/identity.ts';
import { defaultAgentPod } from '../../config/cluster.ts';

const small = { requests: { cpu: '20m', memory: '96Mi' }, limits: { cpu: '2', memory: '1Gi' } };
const testPod = { ...defaultAgentPod, resources: small, storageSize: '64Mi' };

describe('what cannot become a sandbox is answered in words', () => {
  let namespace: TestNamespace;
  let runtime: Runtime;

  beforeAll(async () => {
    namespace = await TestNamespace.create();
    runtime = namespace.runtime({ patienceMs: 2_000 });
    await runtime.start();
  });
  afterAll(() => namespace.close());
  afterEach(async () => {
    for (const agentUid of [...runtime.observed().keys()]) await runtime.stop(agentUid, { graceMs: 0 });
  });

  const failed = async (spec: SandboxSpec, by = runtime): Promise<ObservedSandbox['failure']> => {
    await by.ensure(spec);
    const { failure, phases } = await seen(by, spec.agentUid, ({ state }) => state === 'failed');
    expect(phases.some(({ state }) => state === 'failed')).toBe(true);
    return failure;
  };

  it('an image that does not exist; the next start with a right one takes its place', async () => {
    const spec = namespace.spec({ pod: { image: 'sac-agent:no-such-tag' } });
    expect(await failed(spec)).toMatchObject({
      code: 'image_not_found',
      reason: expect.stringContaining('sac-agent:no-such-tag'),
    });
    const { pod: _, ...right } = spec;
    await runtime.ensure({ ...right, generation: 2 });
    await running(runtime, spec.agentUid, 2);
  });

  it('an image whose name is none', async () => {
    expect(await failed(namespace.spec({ pod: { image: 'Not An Image' } }))).toMatchObject({ code: 'image_invalid' });
  });

  it('an image that is not made for sandboxes', async () => {
    const failure = await failed(namespace.spec({ pod: { image: 'busybox' } }));
    expect(failure).toMatchObject({ code: 'image_unfit', fix: expect.stringContaining('sac-image-check') });
  });

  it('an image without the CLI', async () => {
    const failure = await failed(namespace.spec({ cli: 'codex' }));
    expect(failure).toMatchObject({ code: 'cli_missing', reason: expect.stringContaining('codex') });
  });

  it('4 TB of memory: no node has it, told at once and a failure after a while', async () => {
    const resources = { requests: { memory: '4Ti' }, limits: { memory: '4Ti' } };
    const spec = namespace.spec({ pod: { resources } });
    await runtime.ensure(spec);
    const told = await seen(runtime, spec.agentUid, ({ phases }) => phases.some(({ detail }) => detail !== null));
    expect(told.phases.find(({ detail }) => detail !== null)?.detail).toBe('No node has 4 TiB of memory free.');
    const { failure } = await seen(runtime, spec.agentUid, ({ state }) => state === 'failed');
    expect(failure).toMatchObject({ code: 'no_node_free', reason: 'No node has 4 TiB of memory free.' });
  });

  it('an amount that is none, before anything is made', async () => {
    const resources = { requests: { memory: '4 gigs' }, limits: {} };
    await expect(runtime.ensure(namespace.spec({ pod: { resources } }))).rejects.toThrow('4 gigs');
  });

  it('a StorageClass that does not exist', async () => {
    const other = namespace.runtime({ patienceMs: 2_000, pod: { ...testPod, storageClass: 'no-such-class' } });
    await other.start();
    const spec = namespace.spec();
    expect(await failed(spec, other)).toMatchObject({
      code: 'volume_unavailable',
      reason: expect.stringContaining('no-such-class'),
    });
    await other.remove(spec.agentUid);
    await other.close();
  });

  it('no default StorageClass', async () => {
    const spec = namespace.spec();
    const name = claimNameOf(namespace.nameOf(spec.agentUid));
    // As the cluster makes the claim where no class is the default: without one.
    await namespace.put(pathOf('persistentvolumeclaims', namespace.name), name, {
      apiVersion: 'v1',
      kind: 'PersistentVolumeClaim',
      metadata: {
        name,
        namespace: namespace.name,
        labels: {
          [labelNames.agentUid]: spec.agentUid,
          [labelNames.installId]: namespace.installId,
          [labelNames.component]: 'sandbox',
          [labelNames.managedBy]: 'sac',
        },
      },
      spec: {
        accessModes: ['ReadWriteOnce'],
        storageClassName: '',
        resources: { requests: { storage: '64Mi' } },
      },
    });
    expect(await failed(spec)).toMatchObject({
      code: 'no_storage_class',
      reason: 'The cluster has no default StorageClass, and the installation names none.',
    });
    await runtime.remove(spec.agentUid);
  });

  it('more than the quota of the namespace', async () => {
    const place = pathOf('pods', namespace.name).replace(/pods$/, 'resourcequotas');
    await namespace.put(place, 'few', {
      apiVersion: 'v1',
      kind: 'ResourceQuota',
      metadata: { name: 'few', namespace: namespace.name },
      spec: { hard: { 'requests.memory': '100Mi' } },
    });
    const spec = namespace.spec();
    try {
      const failure = await failed(spec);
      expect(failure).toMatchObject({ code: 'quota_exceeded', reason: expect.stringContaining('requests.memory') });
    } finally {
      await namespace.client.delete(`${place}/few`);
    }
    // The API server holds to a quota for a moment after it has gone.
    await vi.waitFor(() => namespace.tryPod({ requests: { memory: '160Mi' } }));
    const failures: unknown[] = [];
    const unsubscribe = runtime.onChange(({ generation, failure }) => generation === 2 && failures.push(failure));
    // Again and again, as the reconciler does: the set's controller may just then make a pod of the template before.
    const isRunning = async (): Promise<void> => {
      await runtime.ensure({ ...spec, generation: 2 });
      expect(runtime.observed().get(spec.agentUid)).toMatchObject({ generation: 2, state: 'running' });
    };
    await vi.waitFor(isRunning, { timeout: 60_000, interval: 500 });
    unsubscribe();
    // What was said of the first start is not said of the second.
    expect(failures.filter((failure) => failure !== null)).toEqual([]);
  });

  it('a namespace that does not exist', async () => {
    const missing = await TestNamespace.create({ exists: false });
    const other = missing.runtime();
    await other.start();
    expect(await failed(missing.spec(), other)).toMatchObject({
      code: 'namespace_missing',
      reason: expect.stringContaining(missing.name),
    });
    await missing.close();
  });

  it('a volume of another installation: neither used nor touched, until an administrator hands it over', async () => {
    const spec = namespace.spec();
    const name = claimNameOf(namespace.nameOf(spec.agentUid));
    const collection = pathOf('persistentvolumeclaims', namespace.name);
    const claim = (labels: Record<string, string>): ClusterObject & object => ({
      apiVersion: 'v1',
      kind: 'PersistentVolumeClaim',
      metadata: { name, namespace: namespace.name, labels },
      ...{ spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '64Mi' } } } },
    });
    await namespace.put(
      collection,
      name,
      claim({ [labelNames.agentUid]: spec.agentUid, [labelNames.installId]: 'another' }),
    );
    expect(await failed(spec)).toMatchObject({ code: 'foreign_volume', reason: expect.stringContaining('another') });
    expect(await namespace.client.find(namespace.pathOf('statefulsets', spec.agentUid))).toBeNull();
    expect(await namespace.client.find(namespace.pathOf('secrets', spec.agentUid))).toBeNull();
    await namespace.put(
      collection,
      name,
      claim({ [labelNames.agentUid]: spec.agentUid, [labelNames.installId]: namespace.installId }),
    );
    await runtime.ensure({ ...spec, generation: 2 });
    await running(runtime, spec.agentUid, 2);
  });

  it('a volume made by hand: what is said makes it one that can be handed over', async () => {
    const spec = namespace.spec();
    const name = claimNameOf(namespace.nameOf(spec.agentUid));
    await namespace.put(pathOf('persistentvolumeclaims', namespace.name), name, {
      apiVersion: 'v1',
      kind: 'PersistentVolumeClaim',
      metadata: { name, namespace: namespace.name, labels: { [labelNames.managedBy]: 'a-backup' } },
      spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '64Mi' } } },
    });
    const failure = await failed(spec);
    expect(failure).toMatchObject({ code: 'foreign_volume', reason: expect.stringContaining('not made by this') });
    const [, command = ''] = /runs: (kubectl .*) – then hands it/.exec(failure?.fix ?? '') ?? [];
    await promisify(execFile)('sh', ['-c', command]);
    const listed = (): unknown => runtime.left?.volumes().find((volume) => volume.name === name);
    await vi.waitFor(() => expect(listed()).toBeDefined(), { timeout: 10_000 });
    // By these ids Admin › Volumes offers it to the agent.
    expect(listed()).toMatchObject({ agentId: spec.agentId, userId: spec.userId, isOwn: false });
    await runtime.left?.adopt({ namespace: namespace.name, name }, spec.agentUid);
    await runtime.ensure({ ...spec, generation: 2 });
    await running(runtime, spec.agentUid, 2);
  });

  /** Keeps to what the namespace takes, and uses nothing. */
  const strangerPod = {
    securityContext: { runAsNonRoot: true, runAsUser: 1000, seccompProfile: { type: 'RuntimeDefault' } },
    nodeSelector: { 'example.com/no-such-node': 'true' },
    containers: [
      {
        name: 'stranger',
        image: 'stranger',
        securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } },
      },
    ],
  };
  const strangerLabels = { app: 'stranger' };
  const strangerSet = {
    replicas: 0,
    serviceName: 'stranger',
    selector: { matchLabels: strangerLabels },
    template: { metadata: { labels: strangerLabels }, spec: strangerPod },
  };

  it.each([
    ['services', 'v1', 'Service', { spec: { ports: [{ port: 80 }] } }],
    ['statefulsets', 'apps/v1', 'StatefulSet', { spec: strangerSet }],
    ['secrets', 'v1', 'Secret', { stringData: { ours: 'no' } }],
  ] as const)('%s of somebody else with our name', async (resource, apiVersion, kind, content) => {
    const spec = namespace.spec();
    const metadata = { name: namespace.nameOf(spec.agentUid), namespace: namespace.name };
    await namespace.put(pathOf(resource, namespace.name), metadata.name, { apiVersion, kind, metadata, ...content });
    expect(await failed(spec)).toMatchObject({ code: 'foreign_object', reason: expect.stringContaining(kind) });
    await namespace.client.delete(namespace.pathOf(resource, spec.agentUid));
  });

  it('a pod of somebody else with our name; it goes on by itself when that is gone', async () => {
    const spec = namespace.spec();
    const metadata = { name: `${namespace.nameOf(spec.agentUid)}-0`, namespace: namespace.name };
    const pod = { apiVersion: 'v1', kind: 'Pod', metadata, spec: strangerPod };
    await namespace.put(pathOf('pods', namespace.name), metadata.name, pod);
    expect(await failed(spec)).toMatchObject({
      code: 'foreign_object',
      reason: `A pod ${namespace.name}/${metadata.name} that is not this agent's has the name of its pod. It is not touched.`,
    });
    await namespace.client.delete(namespace.pathOf('pods', spec.agentUid), { graceSeconds: 0 });
    await running(runtime, spec.agentUid);
  });

  it('rights that are too narrow: which verb on which resource', async () => {
    const core = `/api/v1/namespaces/${namespace.name}`;
    const rbac = `/apis/rbac.authorization.k8s.io/v1/namespaces/${namespace.name}`;
    const metadata = { name: 'narrow', namespace: namespace.name };
    await namespace.put(`${core}/serviceaccounts`, 'narrow', { apiVersion: 'v1', kind: 'ServiceAccount', metadata });
    const reading = { verbs: ['get', 'list', 'watch'] };
    const rules = [
      { apiGroups: [''], resources: ['pods', 'services', 'persistentvolumeclaims', 'events'], ...reading },
      { apiGroups: ['apps'], resources: ['statefulsets'], ...reading },
      { apiGroups: [''], resources: ['secrets'], verbs: ['get'] },
    ];
    await namespace.put(`${rbac}/roles`, 'narrow', {
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'Role',
      metadata,
      rules,
    });
    await namespace.put(`${rbac}/rolebindings`, 'narrow', {
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'RoleBinding',
      metadata,
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: 'narrow' },
      subjects: [{ kind: 'ServiceAccount', name: 'narrow', namespace: namespace.name }],
    });
    const kubeConfig = await accountConfig(namespace, 'narrow');
    const other = namespace.runtime({ kubeConfig });
    await other.start();
    const failure = await failed(namespace.spec(), other);
    expect(failure).toMatchObject({ code: 'cluster_permission_missing' });
    expect(failure?.reason).toMatch(/may not (create|patch) (secrets|services) in the namespace sac-test-.*narrow/);
    await other.close();
  });

  it('two servers that both start it: the later start stays', async () => {
    const other = namespace.runtime();
    await other.start();
    const spec = namespace.spec();
    await runtime.ensure({ ...spec, generation: 3 });
    await running(runtime, spec.agentUid, 3);
    await other.ensure({ ...spec, generation: 2, specHash: 'older' });
    await seen(other, spec.agentUid, ({ generation, state }) => generation === 3 && state === 'running');
    await Promise.all([other.ensure({ ...spec, generation: 4 }), runtime.ensure({ ...spec, generation: 4 })]);
    await Promise.all([running(other, spec.agentUid, 4), running(runtime, spec.agentUid, 4)]);
    await other.close(); // it wants it to run, and would mend what the next line does
    await runtime.stop(spec.agentUid, { graceMs: 0 });
    expect(runtime.lastGeneration?.(spec.agentUid)).toBe(4); // whoever starts it next has to begin there
  });

  it('more storage later: the volume grows and the pod is not lost', async () => {
    const spec = namespace.spec();
    await runtime.ensure(spec);
    await running(runtime, spec.agentUid);
    await namespace.exec(spec.agentUid, ['touch', '/workspace/mark']);
    await runtime.ensure({ ...spec, generation: 2, pod: { storageSize: '128Mi' } });
    await running(runtime, spec.agentUid, 2);
    await namespace.exec(spec.agentUid, ['ls', '/workspace/mark']);
    const claim = await namespace.client.find<{ spec: { resources: { requests: { storage: string } } } }>(
      namespace.pathOf('persistentvolumeclaims', spec.agentUid),
    );
    expect(claim?.spec.resources.requests.storage).toBe('128Mi');
  });
});

/** A configuration with a token of a service account. */
const accountConfig = async (namespace: TestNamespace, account: string): Promise<KubeConfig> => {
  const { status } = await namespace.client.call<{ status: { token: string } }>({
    method: 'POST',
    path: `/api/v1/namespaces/${namespace.name}/serviceaccounts/${account}/token`,
    body: { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', spec: { expirationSeconds: 3_600 } },
  });
  const { server, caData = '' } = namespace.kubeConfig.getCurrentCluster()!;
  const kubeConfig = new KubeConfig();
  kubeConfig.loadFromClusterAndUser(
    { name: 'c', server, caData, skipTLSVerify: false },
    { name: account, token: status.token },
  );
  return kubeConfig;
};
