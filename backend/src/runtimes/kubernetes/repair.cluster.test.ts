import type { V1Service, V1StatefulSet } from '@kubernetes/client-node';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { answers, running, seen, TestNamespace } from '../../../test/cluster.ts';
import { waitFor } from '../../../test/sandbox-gateway.ts';
import type { Runtime } from '../runtime.ts';

describe('what somebody changes by hand', () => {
  let namespace: TestNamespace;
  let runtime: Runtime;

  beforeAll(async () => {
    namespace = await TestNamespace.create();
    runtime = namespace.runtime();
    await runtime.start();
  });
  afterAll(() => namespace.close());

  const started = async () => {
    const spec = namespace.spec();
    await runtime.ensure(spec);
    return { spec, sandbox: await running(runtime, spec.agentUid) };
  };

  it('a deleted pod is back by itself, the same start, with its files', async () => {
    const { spec } = await started();
    await namespace.exec(spec.agentUid, ['touch', '/workspace/mark', '/home/agent/mark']);
    const before = await namespace.pod(spec.agentUid);
    await namespace.client.delete(namespace.pathOf('pods', spec.agentUid));
    await seen(runtime, spec.agentUid, ({ state }) => state === 'starting');
    const after = await running(runtime, spec.agentUid);
    expect((await namespace.pod(spec.agentUid))?.metadata?.uid).not.toBe(before?.metadata?.uid);
    expect(await answers(after)).toBe(true);
    await namespace.exec(spec.agentUid, ['ls', '/workspace/mark', '/home/agent/mark']);
    await runtime.stop(spec.agentUid, { graceMs: 0 });
  });

  it('an edited set is put right without ending the pod', async () => {
    const { spec } = await started();
    const path = namespace.pathOf('statefulsets', spec.agentUid);
    const before = await namespace.pod(spec.agentUid);
    const template = { spec: { containers: [{ name: 'agent', image: 'busybox:edited' }] } };
    await namespace.client.call({
      method: 'PATCH',
      path,
      body: { spec: { template } },
      contentType: 'application/strategic-merge-patch+json',
    });
    const right = await waitFor(
      async () => {
        const set = await namespace.client.find<V1StatefulSet>(path);
        const image = set?.spec?.template.spec?.containers[0]?.image;
        return image === 'busybox:edited' ? undefined : image;
      },
      20_000,
      () => 'still edited',
    );
    expect(right).toBe(before?.spec?.containers[0]?.image);
    expect((await namespace.pod(spec.agentUid))?.metadata?.uid).toBe(before?.metadata?.uid);
    await runtime.stop(spec.agentUid, { graceMs: 0 });
  });

  it('a set scaled to nothing runs again', async () => {
    const { spec } = await started();
    await namespace.client.merge(namespace.pathOf('statefulsets', spec.agentUid), { spec: { replicas: 0 } });
    await waitFor(
      () => (runtime.observed().get(spec.agentUid)?.state === 'running' ? undefined : true),
      20_000,
      () => 'runs',
    );
    // What is wanted is asked for by the reconciler when it hears that the sandbox is gone, and put right here before.
    await running(runtime, spec.agentUid);
    await runtime.stop(spec.agentUid, { graceMs: 0 });
  });

  it('a deleted Service is made again', async () => {
    const { spec } = await started();
    const path = namespace.pathOf('services', spec.agentUid);
    const before = await namespace.client.find<V1Service>(path);
    await namespace.client.delete(path);
    await waitFor(
      async () => {
        const now = await namespace.client.find<V1Service>(path);
        return now === null || now.metadata?.uid === before?.metadata?.uid ? undefined : now;
      },
      20_000,
      () => 'not there',
    );
    await runtime.stop(spec.agentUid, { graceMs: 0 });
  });

  it('while no server ran is put right when it is asked for again', async () => {
    const { spec } = await started();
    await runtime.close();
    await namespace.client.delete(namespace.pathOf('services', spec.agentUid));
    runtime = namespace.runtime();
    await runtime.start();
    const before = runtime.observed().get(spec.agentUid);
    await runtime.ensure(spec);
    await waitFor(
      async () => (await namespace.client.find(namespace.pathOf('services', spec.agentUid))) ?? undefined,
      20_000,
      () => 'not there',
    );
    // How long its start took may become known better.
    expect(runtime.observed().get(spec.agentUid)).toEqual({ ...before, phases: expect.any(Array) });
    await runtime.stop(spec.agentUid, { graceMs: 0 });
  });
});
