import type { V1Pod } from '@kubernetes/client-node';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TestNamespace } from '../../../test/cluster.ts';
import { waitFor } from '../../../test/sandbox-gateway.ts';
import { defaultAgentPod } from '../../config/cluster.ts';
import { pathOf } from './cluster-client.ts';
import { NUDGED_AT } from './objects/identity.ts';

const REFUSED =
  'Unable to attach or mount volumes: failed to fetch PVC from API server: persistentvolumeclaims "home" is forbidden: ' +
  "no relationship found between node 'node-1' and this object";
const NOT_NUDGED_MS = 1_500;

describe('a pod whose volume its kubelet may not read yet', () => {
  let namespace: TestNamespace;
  let pod: V1Pod;
  let agentUid: string;

  beforeAll(async () => {
    namespace = await TestNamespace.create();
    // No node takes it: what the kubelet would say is said here.
    const runtime = namespace.runtime({
      pod: { ...defaultAgentPod, storageSize: '64Mi', nodeSelector: { 'sac.dev/nowhere': 'true' } },
    });
    await runtime.start();
    const spec = namespace.spec();
    ({ agentUid } = spec);
    await runtime.ensure(spec);
    pod = await waitFor(
      async () => (await namespace.pod(agentUid)) ?? undefined,
      20_000,
      () => 'there is no pod',
    );
  });
  afterAll(() => namespace.close());

  const say = async (name: string, message: string, atMs: number, uid = pod.metadata?.uid): Promise<void> => {
    const at = new Date(atMs).toISOString().replace(/\.\d+Z$/, 'Z');
    await namespace.client.call({
      method: 'POST',
      path: pathOf('events', namespace.name),
      body: {
        apiVersion: 'v1',
        kind: 'Event',
        metadata: { name, namespace: namespace.name },
        involvedObject: { kind: 'Pod', namespace: namespace.name, name: pod.metadata?.name, uid },
        reason: 'FailedMount',
        message,
        type: 'Warning',
        firstTimestamp: at,
        lastTimestamp: at,
      },
    });
  };
  const nudgedAt = async (): Promise<string | undefined> =>
    (await namespace.pod(agentUid))?.metadata?.annotations?.[NUDGED_AT];

  it('is not changed for anything else that is said, nor for what is said of another pod', async () => {
    await say('other-reason', 'MountVolume.SetUp failed for volume "home": exit status 32', Date.now());
    await say('other-pod', REFUSED, Date.now(), 'aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee');
    await delay(NOT_NUDGED_MS);
    expect(await nudgedAt()).toBeUndefined();
  });

  it('is changed, so that the kubelet looks again at once, and three times at most', async () => {
    const beganMs = Date.now();
    const seen = new Set<string | undefined>([undefined]);
    for (const times of [1, 2, 3]) {
      await say(`refused-${times}`, REFUSED, beganMs + times * 1_000);
      const at = await waitFor(
        async () => [await nudgedAt()].find((value) => !seen.has(value)),
        10_000,
        () => `not changed for the ${times}. time`,
      );
      seen.add(at);
    }
    const last = await nudgedAt();
    await say('refused-4', REFUSED, beganMs + 4_000);
    await delay(NOT_NUDGED_MS);
    expect(await nudgedAt()).toBe(last);
  });
});
