import type { V1StatefulSet } from '@kubernetes/client-node';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { ClusterProxy } from '../../../test/cluster-proxy.ts';
import { answers, loadKubeConfig, running, seen, TestNamespace } from '../../../test/cluster.ts';
import { waitFor } from '../../../test/sandbox-gateway.ts';
import type { Runtime } from '../runtime.ts';

describe('a cluster that does not answer as it should', () => {
  let namespace: TestNamespace;
  let proxy: ClusterProxy;
  let runtime: Runtime;

  beforeAll(async () => {
    namespace = await TestNamespace.create();
  });
  afterAll(() => namespace.close());
  beforeEach(async () => {
    proxy = await ClusterProxy.start(loadKubeConfig());
    runtime = namespace.runtime({ kubeConfig: proxy.kubeConfig });
    await runtime.start();
  });
  afterEach(async () => {
    proxy.fault = () => null;
    await runtime.close();
    await proxy.close();
  });

  const stale = () => runtime.stale?.() ?? null;
  const current = () =>
    waitFor(
      () => (stale() === null ? true : undefined),
      30_000,
      () => JSON.stringify(stale()),
    );

  it('is away: says since when, keeps what was seen, and catches up', async () => {
    const spec = namespace.spec();
    await runtime.ensure(spec);
    const before = await running(runtime, spec.agentUid);
    await current();
    await proxy.shut();
    const told = await waitFor(
      () => stale() ?? undefined,
      20_000,
      () => 'not stale',
    );
    // The last word of a watch may be as old as the watch.
    expect(Date.now() - told.since.getTime()).toBeLessThan(60_000);
    expect(told.reason).not.toBe('');
    // How long its start took may become known better.
    expect(runtime.observed().get(spec.agentUid)).toEqual({ ...before, phases: expect.any(Array) });
    const next = { ...spec, generation: 2, specHash: 'other' };
    await runtime.ensure(next);
    await seen(runtime, spec.agentUid, ({ phases }) =>
      phases.some(({ detail }) => detail?.includes('does not answer') === true),
    );
    await proxy.open();
    expect(await answers(await running(runtime, spec.agentUid, 2))).toBe(true);
    await current();
    await runtime.stop(spec.agentUid, { graceMs: 0 });
  });

  /** A sleeping agent whose set nobody changes any more. */
  const asleep = async () => {
    const spec = namespace.spec();
    await runtime.ensure(spec);
    await running(runtime, spec.agentUid);
    await runtime.stop(spec.agentUid, { graceMs: 0 });
    const path = namespace.pathOf('statefulsets', spec.agentUid);
    await waitFor(
      async () => ((await namespace.client.find<V1StatefulSet>(path))?.status?.replicas === 0 ? true : undefined),
      30_000,
      () => 'its set still counts a pod',
    );
    await new Promise((resolve) => setTimeout(resolve, 2_000)); // until the watch has told it
    proxy.requests.length = 0;
    return { spec, path };
  };

  it('is asked for no more than it has not told already, when an agent is woken', async () => {
    const { spec, path } = await asleep();
    await runtime.ensure({ ...spec, generation: 2 });
    await running(runtime, spec.agentUid, 2);
    const secret = namespace.pathOf('secrets', spec.agentUid);
    const asked = proxy.requests.filter((line) => !line.endsWith('(watch)'));
    expect(asked).toEqual([`GET ${secret}`, `PATCH ${secret}`, `PATCH ${path}`]);
    await runtime.stop(spec.agentUid, { graceMs: 0 });
  });

  it('has told too little: what was changed since is read, not written over', async () => {
    const { spec, path } = await asleep();
    proxy.fault = (_method, url) =>
      url.searchParams.has('watch') && url.pathname.endsWith('/statefulsets')
        ? { status: 500, body: { kind: 'Status', message: 'busy' } }
        : null;
    await proxy.shut();
    await namespace.client.merge(path, { metadata: { annotations: { 'example.com/changed': 'since' } } });
    await proxy.open();
    await runtime.ensure({ ...spec, generation: 2 });
    await waitFor(
      () => (proxy.requests.includes(`GET ${path}`) ? true : undefined),
      30_000,
      () => proxy.requests.join('\n'),
    );
    proxy.fault = () => null;
    expect(await answers(await running(runtime, spec.agentUid, 2))).toBe(true);
    await runtime.stop(spec.agentUid, { graceMs: 0 });
  });

  it('takes two seconds for every answer: only slower', async () => {
    proxy.fault = (_method, url) => (url.searchParams.has('watch') ? null : { delayMs: 2_000 });
    const spec = namespace.spec();
    const asked = performance.now();
    await runtime.ensure(spec);
    expect(performance.now() - asked).toBeLessThan(1_900); // of no answer
    await running(runtime, spec.agentUid);
    await runtime.stop(spec.agentUid, { graceMs: 0 });
  });

  it('answers 409 and 500 for a while: it is tried again', async () => {
    let refusals = 0;
    proxy.fault = (method) => {
      if (method !== 'PATCH' || refusals >= 4) return null;
      refusals += 1;
      return { status: refusals % 2 === 0 ? 500 : 409, body: { kind: 'Status', message: 'busy', reason: 'Conflict' } };
    };
    const spec = namespace.spec();
    await runtime.ensure(spec);
    await running(runtime, spec.agentUid);
    expect(refusals).toBe(4);
    await runtime.stop(spec.agentUid, { graceMs: 0 });
  });

  it('forgets where a watch was (410): lists again, and misses nothing', async () => {
    const spec = namespace.spec();
    await runtime.ensure(spec);
    await running(runtime, spec.agentUid);
    await current();
    // Each watch once; which one comes back first is chance.
    const gone = new Set<string>();
    proxy.fault = (_method, url) => {
      if (!url.searchParams.has('watch') || gone.has(url.pathname)) return null;
      gone.add(url.pathname);
      return {
        status: 410,
        body: { kind: 'Status', code: 410, reason: 'Expired', message: 'too old resource version' },
      };
    };
    proxy.requests.length = 0;
    await proxy.shut();
    await namespace.client.delete(namespace.pathOf('statefulsets', spec.agentUid));
    await proxy.open();
    await waitFor(
      () => (runtime.observed().has(spec.agentUid) ? undefined : true),
      60_000,
      () => 'still there',
    );
    expect(gone.size).toBeGreaterThan(0);
    expect(proxy.requests.some((line) => line.startsWith('GET') && line.endsWith('/statefulsets'))).toBe(true);
  });

  it('does not begin to answer a watch: closing waits for none', async () => {
    proxy.fault = (_method, url) => (url.searchParams.has('watch') ? { delayMs: 20_000 } : null);
    const other = namespace.runtime({ kubeConfig: proxy.kubeConfig });
    await other.start();
    const began = performance.now();
    await other.close();
    expect(performance.now() - began).toBeLessThan(3_000);
  });

  it('is only watched in quiet times: no list, no read', async () => {
    await current();
    await waitFor(
      () => proxy.requests.some((line) => line.includes('/events') && line.endsWith('(watch)')) || undefined,
      30_000,
      () => 'events, which are read after the start, are not watched',
    );
    proxy.requests.length = 0;
    await new Promise((resolve) => setTimeout(resolve, 40_000));
    expect(proxy.requests.length).toBeGreaterThan(0);
    expect(proxy.requests.filter((line) => !line.endsWith('(watch)'))).toEqual([]);
    await current();
  });
});
