import { once } from 'node:events';
import { createServer, type AddressInfo, type Server } from 'node:net';
import type { V1StatefulSet } from '@kubernetes/client-node';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { HOST_ADDRESS, TestNamespace } from '../../../../test/cluster.ts';
import { waitFor } from '../../../../test/sandbox-gateway.ts';
import type { Isolation, Runtime } from '../../runtime.ts';
import { pathOf } from '../cluster-client.ts';
import { probeAnnotations, probeName } from './probe.ts';

const denyAll = { podSelector: {}, policyTypes: ['Ingress', 'Egress'] };
const dns = {
  to: [{ namespaceSelector: {}, podSelector: { matchLabels: { 'k8s-app': 'kube-dns' } } }],
  ports: [
    { protocol: 'UDP', port: 53 },
    { protocol: 'TCP', port: 53 },
  ],
};

describe('whether agents are kept apart is tried', () => {
  let namespace: TestNamespace;
  let gateway: Server;
  let internalUrl: string;
  let runtime: Runtime;

  beforeAll(async () => {
    gateway = createServer((socket) => socket.destroy()).listen(0, '0.0.0.0');
    await once(gateway, 'listening');
    internalUrl = `http://${HOST_ADDRESS}:${(gateway.address() as AddressInfo).port}`;
  });
  afterAll(() => gateway.close());
  beforeEach(async () => {
    namespace = await TestNamespace.create();
  });
  afterEach(() => namespace.close());

  const policy = (name: string, spec: object) =>
    namespace.put(`/apis/networking.k8s.io/v1/namespaces/${namespace.name}/networkpolicies`, name, {
      apiVersion: 'networking.k8s.io/v1',
      kind: 'NetworkPolicy',
      metadata: { name, namespace: namespace.name },
      spec,
    });
  const policies = async () => {
    await policy('default-deny', denyAll);
    const toGateway = { to: [{ ipBlock: { cidr: `${HOST_ADDRESS}/32` } }] };
    await policy('agents', { podSelector: {}, policyTypes: ['Egress'], egress: [dns, toGateway] });
  };
  const started = async (url = internalUrl): Promise<Runtime> => {
    const made = namespace.runtime({ verifiesIsolation: true, internalUrl: url });
    await made.start();
    return made;
  };
  const known = (accepts: (isolation: Isolation) => boolean, by = runtime) =>
    waitFor(
      () => (accepts(by.isolation()) ? by.isolation() : undefined),
      100_000,
      () => JSON.stringify(by.isolation()),
    );
  const probeSet = () =>
    namespace.client.find<V1StatefulSet>(pathOf('statefulsets', namespace.name, probeName(namespace.installId)));

  it('with policies that are enforced it is so; another server knows it without trying', async () => {
    await policies();
    runtime = await started();
    expect(runtime.isolation()).toMatchObject({ isolated: true, detail: expect.stringContaining('being found out') });
    const { isolated, detail } = await known(({ detail: said }) => said?.includes('reached neither') === true);
    expect(isolated).toBe(true);
    expect(detail).toContain('20');
    const before = await waitFor(
      async () => {
        const set = await probeSet();
        return set?.spec?.replicas === 0 ? set : undefined;
      },
      20_000,
      () => 'the probe goes on',
    );
    const other = await started();
    expect(other.isolation().detail).toContain('reached neither');
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    expect((await probeSet())?.metadata?.generation).toBe(before.metadata?.generation);
  });

  it('without policies it is not, in words, until somebody mends it', { timeout: 240_000 }, async () => {
    runtime = await started();
    const isolation = await known(({ isolated }) => !isolated);
    expect(isolation.reason).toBe(
      `NetworkPolicies are not enforced, not there, or too wide: from the namespace ${namespace.name} a pod with the widest network of agents reached a pod of another agent and the API server.`,
    );
    expect(isolation.fix).toContain('networkPolicy.enabled');
    // After a while it is tried again, and what somebody has mended by then counts.
    await policies();
    await runtime.close();
    const path = pathOf('statefulsets', namespace.name, probeName(namespace.installId));
    const since = new Date(Date.now() - 6 * 60_000).toISOString();
    await namespace.client.merge(path, { metadata: { annotations: { [probeAnnotations.since]: since } } });
    runtime = await started();
    expect(runtime.isolation().isolated).toBe(false);
    await known(({ isolated }) => isolated);
  });

  it('where a pod reaches nothing at all, nothing is known', async () => {
    await policies();
    runtime = await started(`http://${HOST_ADDRESS}:9`);
    const { reason } = await known(({ isolated }) => !isolated);
    expect(reason).toContain('cannot be told');
  });
});
