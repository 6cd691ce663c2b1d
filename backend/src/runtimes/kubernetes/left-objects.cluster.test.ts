import type { V1PersistentVolumeClaim, V1StatefulSet } from '@kubernetes/client-node';
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ClusterProxy } from '../../../test/cluster-proxy.ts';
import { running, seen, TestNamespace } from '../../../test/cluster.ts';
import { waitFor } from '../../../test/sandbox-gateway.ts';
import type { LeftObjects, Runtime, SandboxSpec, SandboxVolume } from '../runtime.ts';
import { pathOf, type ClusterObject } from './cluster-client.ts';
import { labelNames, ORPHAN_SINCE } from './objects/identity.ts';

describe('what is left of agents', () => {
  let namespace: TestNamespace;
  let runtime: Runtime;
  let other: Runtime;
  let left: LeftObjects;

  beforeAll(async () => {
    namespace = await TestNamespace.create();
    runtime = namespace.runtime();
    other = namespace.runtime();
    await Promise.all([runtime.start(), other.start()]);
    left = runtime.left!;
  });
  afterAll(() => namespace.close());

  const claim = (spec: SandboxSpec) =>
    namespace.client.find<V1PersistentVolumeClaim>(namespace.pathOf('persistentvolumeclaims', spec.agentUid));
  const asleep = async (): Promise<SandboxSpec> => {
    const spec = namespace.spec();
    await runtime.ensure(spec);
    await running(runtime, spec.agentUid);
    await namespace.exec(spec.agentUid, ['touch', '/workspace/mark']);
    await runtime.stop(spec.agentUid, { graceMs: 0 });
    return spec;
  };
  const volumeOf = (agentUid: string) => left.volumes().find((volume) => volume.agentUid === agentUid);
  const eventually = <T>(check: () => T | undefined | Promise<T | undefined>) =>
    waitFor(check, 20_000, () => 'not yet');

  it('an agent nobody knows: everything but its volume goes, after a day', async () => {
    const spec = await asleep();
    expect(left.agentUids()).toContain(spec.agentUid);
    expect(await left.retire(spec.agentUid, 60_000)).toBe('waiting');
    await eventually(async () => {
      const set = await namespace.client.find<V1StatefulSet>(namespace.pathOf('statefulsets', spec.agentUid));
      return set?.metadata?.annotations?.[ORPHAN_SINCE];
    });
    // The mark is at the object, so another server goes on counting.
    await eventually(async () => ((await other.left!.retire(spec.agentUid, 0)) === 'removed' ? true : undefined));
    for (const resource of ['statefulsets', 'services', 'secrets'] as const)
      await eventually(async () =>
        (await namespace.client.find(namespace.pathOf(resource, spec.agentUid))) === null ? true : undefined,
      );
    await eventually(async () => ((await left.retire(spec.agentUid, 0)) === 'nothing' ? true : undefined));
    expect(volumeOf(spec.agentUid)).toMatchObject({ isOwn: true, agentId: spec.agentId, size: '64Mi' });
    expect((await claim(spec))?.metadata?.deletionTimestamp).toBeUndefined();
  });

  it.each(['statefulsets', 'services', 'secrets'] as const)(
    'when one of %s cannot be deleted, that is tried again',
    async (refused) => {
      const spec = await asleep();
      const proxy = await ClusterProxy.start(namespace.kubeConfig);
      const behind = namespace.runtime({ kubeConfig: proxy.kubeConfig });
      await behind.start();
      const retired = (): Promise<string> => behind.left!.retire(spec.agentUid, 0);
      await retired();
      proxy.fault = (method, url) =>
        method === 'DELETE' && url.pathname.includes(`/${refused}/`) ? { status: 500, body: {} } : null;
      await eventually(async () => ((await retired().catch(() => 'failed')) === 'failed' ? true : undefined));
      proxy.fault = () => null;
      await eventually(async () => {
        await retired();
        const path = (resource: typeof refused): string => namespace.pathOf(resource, spec.agentUid);
        const left = await Promise.all(
          (['statefulsets', 'services', 'secrets'] as const).map((each) => namespace.client.find(path(each))),
        );
        return left.every((object) => object === null) ? true : undefined;
      });
      await behind.close();
      await proxy.close();
    },
  );

  it('an object with the labels of another agent, or a name like one of ours, takes nothing of this one along', async () => {
    const spec = await asleep();
    const name = namespace.nameOf(spec.agentUid);
    const stranger = randomUUID();
    const forge = (serviceName: string): Promise<void> =>
      namespace.put(pathOf('services', namespace.name), serviceName, {
        apiVersion: 'v1',
        kind: 'Service',
        metadata: {
          name: serviceName,
          labels: {
            [labelNames.component]: 'sandbox',
            [labelNames.managedBy]: 'sac',
            [labelNames.installId]: namespace.installId,
            [labelNames.agentUid]: stranger,
          },
          annotations: { [ORPHAN_SINCE]: '2020-01-01T00:00:00Z' },
        },
        spec: { clusterIP: 'None', selector: { none: 'none' } },
      });
    await forge(`${name}-0`);
    const own = namespace.pathOf('services', spec.agentUid);
    await namespace.client.delete(own);
    await eventually(async () => ((await namespace.client.find(own)) === null ? true : undefined));
    await forge(name);
    await eventually(() => (left.agentUids().includes(stranger) ? true : undefined));
    await left.retire(stranger, 0);
    await runtime.remove(stranger);
    await eventually(async () => ((await namespace.client.find(own)) === null ? true : undefined));
    for (const resource of ['statefulsets', 'secrets', 'persistentvolumeclaims'] as const) {
      const object = await namespace.client.find<ClusterObject>(namespace.pathOf(resource, spec.agentUid));
      expect(object?.metadata?.deletionTimestamp, resource).toBeUndefined();
      expect(object?.metadata?.labels?.[labelNames.agentUid], resource).toBe(spec.agentUid);
    }
    expect(left.agentUids()).toContain(spec.agentUid);
  });

  it('an agent that is known again, awake or not, is counted anew when it is unknown once more', async () => {
    const spec = await asleep();
    const path = namespace.pathOf('statefulsets', spec.agentUid);
    const since = async (): Promise<string | null> =>
      (await namespace.client.find<V1StatefulSet>(path))?.metadata?.annotations?.[ORPHAN_SINCE] ?? null;
    await left.keep(spec.agentUid);
    await namespace.client.merge(path, { metadata: { annotations: { [ORPHAN_SINCE]: '2026-01-01T00:00:00Z' } } });
    await eventually(async () => {
      await left.keep(spec.agentUid);
      return (await since()) === null ? true : undefined;
    });
    // As soon as that is seen here, what was written before is not taken for the beginning.
    await eventually(async () => {
      expect(await left.retire(spec.agentUid, 60_000)).toBe('waiting');
      return (await since()) ?? undefined;
    });
    expect(Date.parse((await since()) ?? '')).toBeGreaterThan(Date.now() - 60_000);
    expect(await left.retire(spec.agentUid, 60_000)).toBe('waiting');
  });

  it('a volume of another installation is handed over, with the files on it', async () => {
    const spec = await asleep();
    await left.retire(spec.agentUid, 0);
    await eventually(async () => ((await left.retire(spec.agentUid, 0)) === 'waiting' ? undefined : true));
    await namespace.client.delete(namespace.pathOf('statefulsets', spec.agentUid));
    const { namespace: place, name } = volumeOf(spec.agentUid) as SandboxVolume;
    const reader = namespace.runtime({ installId: 'after-reinstallation' });
    await reader.start();
    const next = { ...spec, agentUid: randomUUID() };
    namespace.spec(next);
    await reader.ensure(next);
    const failed = await seen(reader, next.agentUid, ({ state }) => state === 'failed');
    expect(failed.failure?.code).toBe('foreign_volume');
    await reader.left!.adopt({ namespace: place, name }, next.agentUid);
    await reader.ensure({ ...next, generation: 2 });
    await running(reader, next.agentUid, 2);
    await namespace.exec(next.agentUid, ['ls', '/workspace/mark']);
    // The servers that saw it before do not put the old labels back.
    expect((await claim(next))?.metadata?.labels?.[labelNames.agentUid]).toBe(next.agentUid);
    await eventually(() => (volumeOf(spec.agentUid) === undefined ? true : undefined));
    await reader.stop(next.agentUid, { graceMs: 0 });
    await reader.close();
  });

  it('a volume is deleted when that is asked for, once', async () => {
    const spec = await asleep();
    const volume = volumeOf(spec.agentUid) as SandboxVolume;
    await left.deleteVolume(volume);
    await eventually(() => (volumeOf(spec.agentUid) === undefined ? true : undefined));
    await expect(left.deleteVolume(volume)).rejects.toThrow('There is no volume');
  });
});
