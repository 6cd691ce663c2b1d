import { isDeepStrictEqual } from 'node:util';
import type { V1Secret, V1Service, V1StatefulSet } from '@kubernetes/client-node';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { running, TestNamespace } from '../../../test/cluster.ts';
import { waitFor } from '../../../test/sandbox-gateway.ts';
import type { ObservedSandbox, Runtime, SandboxSpec } from '../runtime.ts';
import { pathOf, type ClusterObject, type ResourceName } from './cluster-client.ts';
import { claimNameOf } from './names.ts';
import { annotationNames, labelNames } from './objects/identity.ts';

const LOOK_MS = 300;
const resources: readonly ResourceName[] = ['statefulsets', 'services', 'persistentvolumeclaims', 'pods'];

describe('objects that somebody edits or takes away', () => {
  let namespace: TestNamespace;
  let runtime: Runtime;
  let spec: SandboxSpec;
  const states: ObservedSandbox['state'][] = [];

  beforeAll(async () => {
    namespace = await TestNamespace.create();
    runtime = namespace.runtime({ secretLookMs: LOOK_MS });
    await runtime.start();
    spec = namespace.spec();
    await runtime.ensure(spec);
    await running(runtime, spec.agentUid);
    runtime.onChange(({ agentUid, state }) => {
      // It may be told twice that it runs: the second time with how long its start took.
      if (agentUid === spec.agentUid && state !== 'running') states.push(state);
    });
  });
  afterAll(() => namespace.close());

  const find = <T = ClusterObject>(resource: ResourceName) =>
    namespace.client.find<T>(namespace.pathOf(resource, spec.agentUid));
  const edit = (resource: ResourceName, change: unknown) =>
    namespace.client.call({
      method: 'PATCH',
      path: namespace.pathOf(resource, spec.agentUid),
      body: change,
      contentType: 'application/merge-patch+json',
      query: { fieldManager: 'kubectl-edit' },
    });
  const eventually = <T>(check: () => Promise<T | undefined>, timeoutMs = 20_000) =>
    waitFor(check, timeoutMs, () => 'not put right');
  /** Nothing that runs has noticed. */
  const undisturbed = async (work: () => Promise<void>): Promise<void> => {
    const pod = await namespace.pod(spec.agentUid);
    states.length = 0;
    await work();
    expect(states).toEqual([]);
    expect(runtime.observed().get(spec.agentUid)?.state).toBe('running');
    expect((await namespace.pod(spec.agentUid))?.metadata?.uid).toBe(pod?.metadata?.uid);
  };

  for (const resource of resources) {
    for (const [what, value] of [
      ['taken away', null],
      ['given to another agent', 'aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee'],
    ] as const)
      it(`${resource}: the label of the agent is ${what}`, () =>
        undisturbed(async () => {
          const before = await find(resource);
          await edit(resource, { metadata: { labels: { [labelNames.agentUid]: value } } });
          const after = await eventually(async () => {
            const now = await find(resource);
            return now?.metadata?.labels?.[labelNames.agentUid] === spec.agentUid ? now : undefined;
          });
          expect(after.metadata?.uid).toBe(before?.metadata?.uid);
          expect(after.metadata?.labels).toEqual(before?.metadata?.labels);
        }));

    it(`${resource}: labels that make it watched are taken away`, () =>
      undisturbed(async () => {
        const labels = { [labelNames.component]: null, [labelNames.managedBy]: null, [labelNames.installId]: 'other' };
        const before = await find(resource);
        await edit(resource, { metadata: { labels } });
        await eventually(async () => {
          const now = await find(resource);
          return JSON.stringify(now?.metadata?.labels) === JSON.stringify(before?.metadata?.labels) ? true : undefined;
        });
      }));
  }

  it('what a pod may reach stays what was chosen', async () => {
    await edit('pods', { metadata: { labels: { [labelNames.egress]: 'none' } } });
    await eventually(async () =>
      (await find('pods'))?.metadata?.labels?.[labelNames.egress] === 'internet' ? true : undefined,
    );
  });

  it('annotations and the version of the set and its Service', () =>
    undisturbed(async () => {
      const metadata = {
        labels: { [labelNames.version]: 'other' },
        annotations: { [annotationNames.generation]: '99' },
      };
      await edit('statefulsets', { metadata });
      await edit('services', { metadata: { labels: metadata.labels } });
      await eventually(async () => {
        const [set, service] = [await find('statefulsets'), await find('services')];
        const versions = [set, service].map((each) => each?.metadata?.labels?.[labelNames.version]);
        const generation = set?.metadata?.annotations?.[annotationNames.generation];
        return generation === '1' && versions.every((each) => each === '0.0.0-test') ? true : undefined;
      });
    }));

  it('the port of a Service', () =>
    undisturbed(async () => {
      const before = await find<V1Service>('services');
      await edit('services', { spec: { ports: [{ name: 'terminal', port: 1, targetPort: 1 }], selector: { a: 'b' } } });
      await eventually(async () => {
        const { ports, selector } = (await find<V1Service>('services'))?.spec ?? {};
        return JSON.stringify([ports?.[0]?.port, selector?.['a']]) ===
          JSON.stringify([before?.spec?.ports?.[0]?.port, undefined])
          ? true
          : undefined;
      });
    }));

  it('a container that somebody added to the set, and a key to its selector of nodes', () =>
    undisturbed(async () => {
      const template = (await find<V1StatefulSet>('statefulsets'))!.spec!.template;
      const containers = [...template.spec!.containers, { name: 'more', image: 'busybox' }];
      await edit('statefulsets', { spec: { template: { spec: { containers, nodeSelector: { nowhere: 'yes' } } } } });
      await eventually(async () => {
        const now = (await find<V1StatefulSet>('statefulsets'))?.spec?.template;
        return isDeepStrictEqual(now, template) ? true : undefined;
      });
    }));

  it('a set deleted without its pod gets its pod back', () =>
    undisturbed(async () => {
      const before = await find('statefulsets');
      await namespace.client.delete(namespace.pathOf('statefulsets', spec.agentUid), { orphans: true });
      await eventually(async () => {
        const now = await find('statefulsets');
        return now === null || now.metadata?.uid === before?.metadata?.uid ? undefined : now;
      });
      await eventually(
        async () => ((await namespace.pod(spec.agentUid))?.metadata?.ownerReferences ?? []).length || undefined,
      );
    }));

  it('a Secret that is deleted or edited is written again while the agent runs', () =>
    undisturbed(async () => {
      const confirmed = (accepts: (secret: V1Secret | null) => boolean) =>
        eventually(async () => {
          await runtime.ensure(spec); // as the reconciler does every half minute
          const secret = await find<V1Secret>('secrets');
          return accepts(secret) ? true : undefined;
        });
      const before = (await find<V1Secret>('secrets'))?.data;
      await namespace.client.delete(namespace.pathOf('secrets', spec.agentUid));
      await confirmed((secret) => secret !== null);
      await edit('secrets', { data: { 'terminal-key': null, more: 'bW9yZQ==' } });
      await confirmed((secret) => isDeepStrictEqual(secret?.data, { ...before, more: 'bW9yZQ==' }));
    }));

  it('a Secret that is missing when the pod starts anew is made in time', async () => {
    const slow = namespace.runtime();
    await slow.start();
    const other = namespace.spec();
    await slow.ensure(other);
    await running(slow, other.agentUid);
    const failures: unknown[] = [];
    slow.onChange(({ failure }) => failure !== null && failures.push(failure));
    await namespace.client.delete(namespace.pathOf('secrets', other.agentUid));
    const before = await namespace.pod(other.agentUid);
    await namespace.client.delete(namespace.pathOf('pods', other.agentUid));
    await eventually(async () => {
      const pod = await namespace.pod(other.agentUid);
      const isReady =
        pod?.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') === true;
      return pod?.metadata?.uid !== before?.metadata?.uid && isReady ? true : undefined;
    }, 60_000);
    expect(await running(slow, other.agentUid)).toMatchObject({ generation: 1, failure: null });
    expect(failures).toEqual([]);
    await slow.stop(other.agentUid, { graceMs: 0 });
    await slow.close();
  });

  it('is counted, with the requests that it took', async () => {
    // A watch that breaks off is begun again within moments; until then the view counts as old.
    const text = await eventually(async () => {
      const metrics = await runtime.metrics!();
      return /^sac_cluster_stale_seconds 0$/m.test(metrics) ? metrics : undefined;
    });
    const valueOf = (pattern: RegExp): number => Number(pattern.exec(text)?.[1] ?? -1);
    expect(valueOf(/^sac_sandbox_repairs_total (\d+)$/m)).toBeGreaterThan(0);
    expect(valueOf(/^sac_sandboxes\{state="running"\} (\d+)$/m)).toBe(1);
    expect(
      valueOf(/^sac_cluster_requests_total\{method="PATCH",resource="secrets",status="200"\} (\d+)$/m),
    ).toBeGreaterThan(1);
    expect(valueOf(/^sac_cluster_lists_total\{resource="pods"\} (\d+)$/m)).toBe(1);
    expect(valueOf(/^sac_cluster_request_duration_seconds_count\{method="GET"\} (\d+)$/m)).toBeGreaterThan(1);
    expect(text).not.toContain(spec.agentUid);
    expect(text).not.toContain(namespace.name);
  });

  it('the volume of an agent that sleeps keeps its labels, and is used at the next start', async () => {
    await namespace.exec(spec.agentUid, ['touch', '/workspace/mark']);
    await runtime.stop(spec.agentUid, { graceMs: 0 });
    const path = pathOf('persistentvolumeclaims', namespace.name, claimNameOf(namespace.nameOf(spec.agentUid)));
    const before = await namespace.client.find<ClusterObject>(path);
    await namespace.client.merge(path, { metadata: { labels: { [labelNames.agentUid]: null } } });
    await eventually(async () => {
      const now = await namespace.client.find<ClusterObject>(path);
      return now?.metadata?.labels?.[labelNames.agentUid] === spec.agentUid ? true : undefined;
    });
    expect((await namespace.client.find<ClusterObject>(path))?.metadata?.uid).toBe(before?.metadata?.uid);
    await runtime.ensure({ ...spec, generation: 2 });
    await running(runtime, spec.agentUid, 2);
    await namespace.exec(spec.agentUid, ['ls', '/workspace/mark']);
  });
});
