import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { AbsentPods } from './absent-pods.ts';
import type { ClusterObject } from './cluster-client.ts';
import { metadataOf } from './objects/identity.ts';
import { statefulSetOf } from './objects/stateful-set.ts';
import type { SandboxObjects } from './sandbox-objects.ts';
import { exampleIdentity, plainParts } from './testing/examples.ts';

beforeEach(() => vi.useFakeTimers());
afterEach(() => vi.useRealTimers());

const identity = exampleIdentity();
const { agentUid, installId, namespace, name } = identity;

const watched = (there: ClusterObject | null, set = statefulSetOf(identity, plainParts)) => {
  const objects: SandboxObjects = { agentUid, namespace, name, set, events: [] };
  const asked: string[] = [];
  const told: boolean[] = [];
  const absent = new AbsentPods({
    installId,
    signal: new AbortController().signal,
    client: {
      findMetadata: async (path) => {
        asked.push(path);
        return there;
      },
    },
    find: () => objects,
    onChange: () => told.push(absent.isNameTaken(agentUid)),
  });
  absent.look(agentUid);
  return { absent, objects, asked, told };
};

it('looks for a pod that does not come, and tells once that its name is taken', async () => {
  const { absent, objects, asked, told } = watched({ metadata: { uid: 'stranger' } });
  await vi.advanceTimersByTimeAsync(4_000);
  expect(asked).toEqual([]);
  await vi.advanceTimersByTimeAsync(60_000);
  expect(asked.length).toBeGreaterThan(1);
  expect(asked[0]).toBe(`/api/v1/namespaces/${namespace}/pods/${name}-0`);
  expect(told).toEqual([true]);
  objects.pod = { metadata: metadataOf(identity) };
  absent.look(agentUid);
  expect(absent.isNameTaken(agentUid)).toBe(false);
  const before = asked.length;
  await vi.advanceTimersByTimeAsync(60_000);
  expect(asked).toHaveLength(before);
});

it('takes neither nothing nor its own pod for a foreign one', async () => {
  for (const there of [null, { metadata: metadataOf(identity) }]) {
    const { asked, told } = watched(there);
    await vi.advanceTimersByTimeAsync(10_000);
    expect([asked.length, told]).toEqual([1, []]);
  }
});

it('looks for none of an agent that sleeps', async () => {
  const set = statefulSetOf(identity, plainParts);
  const { asked } = watched(null, { ...set, spec: { ...set.spec!, replicas: 0 } });
  await vi.advanceTimersByTimeAsync(60_000);
  expect(asked).toEqual([]);
});
