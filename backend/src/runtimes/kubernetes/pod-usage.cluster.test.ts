import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ClusterProxy, type Fault } from '../../../test/cluster-proxy.ts';
import { loadKubeConfig, running, TestNamespace } from '../../../test/cluster.ts';
import { waitFor } from '../../../test/sandbox-gateway.ts';
import type { Runtime, SandboxSpec } from '../runtime.ts';

/** The first values of a pod come when it was measured twice. */
const MEASURED_MS = 90_000;
const METRICS = '/apis/metrics.k8s.io/';

describe('what a sandbox takes', () => {
  let namespace: TestNamespace;
  let proxy: ClusterProxy;
  let runtime: Runtime;
  let spec: SandboxSpec;

  beforeAll(async () => {
    namespace = await TestNamespace.create();
    proxy = await ClusterProxy.start(loadKubeConfig());
    runtime = namespace.runtime({ kubeConfig: proxy.kubeConfig });
    await runtime.start();
    spec = namespace.spec();
    await runtime.ensure(spec);
    await running(runtime, spec.agentUid);
  });
  afterAll(async () => {
    await namespace.close();
    await proxy.close();
  });

  const asked = (): number => proxy.requests.filter((line) => line.includes(METRICS)).length;
  const answering = (answer: Fault): void => {
    proxy.fault = (_method, url) => (url.pathname.startsWith(METRICS) ? answer : null);
  };
  /** Another server, which remembers nothing. */
  const read = async () => {
    const reader = namespace.runtime({ kubeConfig: proxy.kubeConfig });
    await reader.start();
    try {
      return await reader.usage?.(spec.agentUid);
    } finally {
      await reader.close();
    }
  };

  it('comes from the metrics server, beside the limits of the container of the agent', async () => {
    // Keeps a core busy, so that there is something to see.
    const work = 'until [ -e /tmp/enough ]; do :; done';
    const busy = namespace.exec(spec.agentUid, ['timeout', '90', 'sh', '-c', work]);
    const usage = await waitFor(
      async () => {
        const found = await runtime.usage?.(spec.agentUid);
        return found && found.cpu > 0.05 ? found : undefined;
      },
      MEASURED_MS,
      () => 'nothing was measured',
    );
    expect(usage).toMatchObject({ cpuLimit: 2, memoryLimitBytes: 2 ** 30 });
    expect(usage.cpu).toBeLessThan(2.5);
    expect(usage.memoryBytes).toBeGreaterThan(5 * 2 ** 20);
    expect(usage.memoryBytes).toBeLessThan(2 ** 30);
    await namespace.exec(spec.agentUid, ['touch', '/tmp/enough']);
    await busy;
  });

  it('is asked for once, however many look', async () => {
    const before = asked();
    const reader = namespace.runtime({ kubeConfig: proxy.kubeConfig });
    await reader.start();
    const found = await Promise.all(Array.from({ length: 50 }, async () => reader.usage?.(spec.agentUid)));
    expect(found.every((usage) => usage?.cpuLimit === 2)).toBe(true);
    expect(asked() - before).toBe(1);
    await reader.close();
  });

  it('of a pod before this one is not told as that of this one', async () => {
    const at = new Date(Date.now() - 3_600_000).toISOString();
    const metadata = { name: `${namespace.nameOf(spec.agentUid)}-0`, namespace: namespace.name };
    const containers = [{ name: 'agent', usage: { cpu: '1', memory: '1Mi' } }];
    answering({ status: 200, body: { items: [{ metadata, timestamp: at, containers }] } });
    expect(await read()).toBeNull();
  });

  it.each([
    [
      'there is no metrics server',
      404,
      { kind: 'Status', message: 'the server could not find the requested resource' },
    ],
    ['it is away', 503, { kind: 'Status', message: 'service unavailable' }],
    ['this account may not ask it', 403, { kind: 'Status', reason: 'Forbidden', message: 'forbidden' }],
    ['it says something else', 200, { items: [{ metadata: { name: 'x' } }] }],
    ['amounts that are none', 200, { items: [{ metadata: { name: 'x' }, timestamp: 'now', containers: [] }] }],
  ])('%s: nobody knows, and nothing fails', async (_what, status, body) => {
    answering({ status, body });
    expect(await read()).toBeNull();
  });

  it('is nothing while the agent sleeps', async () => {
    proxy.fault = () => null;
    await runtime.stop(spec.agentUid, { graceMs: 0 });
    expect(await runtime.usage?.(spec.agentUid)).toBeNull();
  });
});
