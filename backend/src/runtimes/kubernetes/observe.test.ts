import type { V1ContainerStatus, V1Pod, V1PodCondition, V1PodStatus } from '@kubernetes/client-node';
import { describe, expect, it } from 'vitest';
import { statefulSetOf } from './objects/stateful-set.ts';
import { observe } from './observe.ts';
import type { ClusterEvent, SandboxObjects } from './sandbox-objects.ts';
import { exampleIdentity, exampleSpec, plainParts } from './testing/examples.ts';

/** The cluster's times are texts: nothing makes dates of them. */
const at = (seconds: number): Date => new Date(seconds * 1_000).toISOString() as unknown as Date;
const NOW_MS = 1_000_000;

const condition = (type: string, status: 'True' | 'False', atSeconds: number, message = ''): V1PodCondition => ({
  type,
  status,
  lastTransitionTime: at(atSeconds),
  message,
});

const container = (name: string, state: V1ContainerStatus['state'], more: Partial<V1ContainerStatus> = {}) => ({
  name,
  image: 'an/image:1',
  imageID: '',
  ready: state?.running !== undefined,
  restartCount: 0,
  ...(state && { state }),
  ...more,
});

const template = statefulSetOf(exampleIdentity(), plainParts);
const set = { ...template, metadata: { ...template.metadata, uid: 'set-uid', creationTimestamp: at(900) } };

const sidecar = container('sidecar', { running: { startedAt: at(903) } });

const podWith = (status: V1PodStatus, metadata: V1Pod['metadata'] = {}): V1Pod => ({
  metadata: {
    ...set.spec?.template.metadata,
    uid: 'pod-uid',
    creationTimestamp: at(900),
    ...metadata,
  },
  spec: { ...set.spec!.template.spec!, nodeName: 'node-7' },
  status,
});

const objects = (pod: V1Pod | undefined, events: readonly ClusterEvent[] = []): SandboxObjects => ({
  agentUid: exampleSpec.agentUid,
  namespace: 'sac-agents-0',
  name: 'claude-code-3-14',
  set,
  ...(pod && { pod }),
  events,
});

const look = (given: SandboxObjects, nowMs = NOW_MS, waitedMs = 100_000) =>
  observe(given, { clusterDomain: 'cluster.local', patienceMs: 60_000, nowMs, waitedMs, seenAtMs: nowMs - waitedMs });

const event = (reason: string, message: string, objectUid = 'pod-uid'): ClusterEvent => ({
  reason,
  message,
  objectUid,
  atMs: NOW_MS,
});

describe('a sandbox as its objects show it', () => {
  it('waits for a pod since the last one went, not since its set was made', () => {
    expect(look(objects(undefined), NOW_MS, 5_000)?.sandbox).toMatchObject({
      state: 'starting',
      since: new Date(NOW_MS - 5_000),
      phases: expect.arrayContaining([expect.objectContaining({ startedAt: new Date(NOW_MS - 5_000).toISOString() })]),
    });
    const ending = podWith({});
    ending.metadata = { ...ending.metadata, deletionTimestamp: at(990), deletionGracePeriodSeconds: 30 };
    expect(look(objects(ending))?.sandbox.since).toEqual(new Date(960_000));
  });

  const running = podWith({
    podIP: '10.0.0.9',
    conditions: [condition('PodScheduled', 'True', 901), condition('Ready', 'True', 906)],
    containerStatuses: [container('agent', { running: { startedAt: at(905) } }), sidecar],
  });

  it('runs, with the durations of its start and where it answers', () => {
    const { sandbox } = look(objects(running))!;
    expect(sandbox).toMatchObject({ state: 'running', generation: 7, specHash: 'digest', failure: null });
    expect(sandbox.since).toEqual(new Date(905_000));
    expect(sandbox.phases.map(({ durationMs }) => durationMs)).toEqual([1_000, 2_000, 2_000, 1_000, 0]);
    expect(sandbox.upstream).toEqual({
      kind: 'tcp',
      host: '10.0.0.9',
      port: 7681,
      fallbackHost: 'claude-code-3-14-0.claude-code-3-14.sac-agents-0.svc.cluster.local',
    });
  });

  it('runs as soon as its startup probe has passed, before the pod is said to be ready', () => {
    const starting = (...containerStatuses: readonly V1ContainerStatus[]) =>
      look(
        objects(
          podWith({
            podIP: '10.0.0.9',
            conditions: [
              condition('PodScheduled', 'True', 901),
              { ...condition('Ready', 'False', 901), reason: 'ContainersNotReady' },
            ],
            containerStatuses: [...containerStatuses],
          }),
        ),
      )?.sandbox;
    const agent = { ...container('agent', { running: { startedAt: at(905) } }), ready: false };
    expect(starting({ ...agent, started: true }, sidecar)).toMatchObject({
      state: 'running',
      since: new Date(905_000),
      upstream: { host: '10.0.0.9' },
    });
    expect(starting({ ...agent, started: false }, sidecar)).toMatchObject({ state: 'starting', upstream: null });
    const ended = { ...sidecar, ready: false, started: false, state: { terminated: { exitCode: 1 } } };
    expect(starting({ ...agent, started: true }, ended)).toMatchObject({ state: 'starting', upstream: null });
  });

  it('is the same for everybody who looks, whenever', () => {
    expect(look(objects(running), NOW_MS + 3_600_000)).toEqual(look(objects(running)));
  });

  it('sleeps without a pod, ends while there is one, and starts again when only the pod goes', () => {
    const asleep = { ...objects(undefined), set: { ...set, spec: { ...set.spec!, replicas: 0 } } };
    expect(look(asleep)).toBeUndefined();
    expect(look({ ...asleep, pod: running })?.sandbox).toMatchObject({ state: 'stopping', upstream: null });
    const ending = podWith(running.status!, { ...running.metadata, deletionTimestamp: at(990) });
    expect(look(objects(ending))?.sandbox).toMatchObject({ state: 'starting', generation: 7, upstream: null });
  });

  it('says that the node is lost also when the cluster has given up its pod', () => {
    const conditions = (running.status?.conditions ?? []).map((each) =>
      each.type === 'Ready' ? { ...each, status: 'False' } : each,
    );
    const ending = { ...running.metadata, deletionTimestamp: at(990) };
    const lost = podWith({ ...running.status, conditions }, ending);
    expect(look(objects(lost), NOW_MS, 3_600_000)?.sandbox).toMatchObject({
      state: 'failed',
      failure: { code: 'node_unavailable' },
    });
    const ended = { ...lost.status, containerStatuses: [container('agent', { terminated: { exitCode: 0 } })] };
    expect(look(objects(podWith(ended, ending)))?.sandbox).toMatchObject({ state: 'starting', failure: null });
  });

  it('shows the start of the pod, not of the set, while a newer one has not taken its place', () => {
    const older = podWith(running.status!, { annotations: { 'sac.dev/generation': '6', 'sac.dev/spec-hash': 'old' } });
    expect(look(objects(older))?.sandbox).toMatchObject({ state: 'running', generation: 6, specHash: 'old' });
  });
});

describe('what keeps a sandbox from running', () => {
  const scheduled = [condition('PodScheduled', 'True', 901)];
  const waiting = (reason: string, message = '') => container('agent', { waiting: { reason, message } });
  const told = (pod: V1Pod | undefined, events: readonly ClusterEvent[] = []) => look(objects(pod, events))!.sandbox;

  it.each([
    [
      'a volume on another node',
      podWith({ conditions: scheduled, containerStatuses: [waiting('ContainerCreating')] }),
      [
        event(
          'FailedAttachVolume',
          'Multi-Attach error for volume "pvc-1" Volume is already exclusively attached to one node and can\'t be attached to another',
        ),
      ],
      'volume_unavailable',
      'still attached to',
    ],
    [
      'a Secret that was deleted',
      podWith({ conditions: scheduled, containerStatuses: [waiting('ContainerCreating')] }),
      [
        event(
          'FailedMount',
          'MountVolume.SetUp failed for volume "agent-secrets" : secret "claude-code-3-14" not found',
        ),
      ],
      'secret_missing',
      'claude-code-3-14',
    ],
    [
      'a node that does not answer',
      podWith({
        conditions: [...scheduled, condition('Ready', 'False', 950)],
        containerStatuses: [container('agent', { running: { startedAt: at(905) } }), sidecar],
      }),
      [],
      'node_unavailable',
      'node-7',
    ],
    [
      'too little memory',
      podWith({
        conditions: scheduled,
        containerStatuses: [
          sidecar,
          container(
            'agent',
            { waiting: { reason: 'CrashLoopBackOff' } },
            { lastState: { terminated: { exitCode: 137, reason: 'OOMKilled' } } },
          ),
        ],
      }),
      [],
      'out_of_memory',
      'memory',
    ],
    [
      'a preparation that says why it failed',
      podWith({
        conditions: scheduled,
        containerStatuses: [
          container('agent', { running: { startedAt: at(905) } }),
          container(
            'sidecar',
            { waiting: { reason: 'CrashLoopBackOff' } },
            {
              restartCount: 2,
              lastState: {
                terminated: {
                  exitCode: 1,
                  message: JSON.stringify({
                    failure: { code: 'storage_full', reason: 'Full.', fix: 'Free some.', output: null },
                  }),
                },
              },
            },
          ),
        ],
      }),
      [],
      'storage_full',
      'Full.',
    ],
    [
      'a registry that wants a password',
      podWith({
        conditions: scheduled,
        containerStatuses: [waiting('ImagePullBackOff', 'failed to authorize: 401 Unauthorized')],
      }),
      [],
      'image_denied',
      'an/image:1',
    ],
    [
      'a quota that is used up',
      undefined,
      [
        event(
          'FailedCreate',
          'create Pod x-0 in StatefulSet x failed error: pods "x-0" is forbidden: exceeded quota: few, requested: cpu=1',
          'set-uid',
        ),
      ],
      'quota_exceeded',
      'few, requested: cpu=1',
    ],
    [
      'a runtime class that the cluster does not have',
      undefined,
      [
        event(
          'FailedCreate',
          'Create Pod x-0 in StatefulSet x failed error: pods "x-0" is forbidden: pod rejected: RuntimeClass "gvisor" not found',
          'set-uid',
        ),
      ],
      'cluster_refused',
      'The cluster has no RuntimeClass gvisor.',
    ],
  ] as const)('%s', (...[, pod, events, code, words]) => {
    const { state, failure, phases, upstream } = told(pod, events);
    expect([state, failure?.code, upstream]).toEqual(['failed', code, null]);
    expect(failure?.reason).toContain(words);
    expect(failure?.fix).not.toBe('');
    expect(phases.filter((phase) => phase.state === 'failed')).toHaveLength(1);
  });

  it('what may pass by itself is told at once and a failure only later', () => {
    const pod = podWith({
      conditions: [condition('PodScheduled', 'False', 901, '0/3 nodes are available: 3 Insufficient cpu.')],
    });
    const early = look(objects(pod), NOW_MS, 10_000)!;
    expect(early.sandbox.state).toBe('starting');
    expect(early.sandbox.phases[0]).toMatchObject({ state: 'active', detail: 'No node has 250m CPU free.' });
    expect(early.recheckAfterMs).toBe(50_000);
    expect(look(objects(pod), NOW_MS, 61_000)?.sandbox.state).toBe('failed');
  });

  it('a pod of somebody else with its name is told before it is a failure, and looked at again', () => {
    const taken = { ...objects(undefined), isNameTaken: true };
    const early = look(taken, NOW_MS, 10_000)!;
    expect(early.sandbox.state).toBe('starting');
    expect(early.sandbox.phases[0]?.detail).toContain('A pod sac-agents-0/claude-code-3-14-0 that is not this agent');
    expect(early.recheckAfterMs).toBe(50_000);
    expect(look(taken, NOW_MS, 60_000)?.sandbox).toMatchObject({
      state: 'failed',
      failure: { code: 'foreign_object', fix: expect.stringContaining('deletes or renames it') },
    });
  });

  it.each(['SuccessfulAttachVolume', 'Pulling', 'Pulled'])('a volume is no problem any more after %s', (reason) => {
    const pod = podWith({ conditions: scheduled, containerStatuses: [waiting('ContainerCreating')] });
    const refused = event('FailedAttachVolume', 'Multi-Attach error for volume "pvc-1"');
    const wentOn = event(reason, 'it went on');
    expect(told(pod, [refused, wentOn])).toMatchObject({ state: 'starting', failure: null });
    // A kubelet tells of both within a second.
    expect(told(pod, [wentOn, refused]).state).toBe('starting');
    expect(told(pod, [wentOn, { ...refused, atMs: NOW_MS + 1_000 }]).state).toBe('failed');
  });

  it('the image of the agent is being fetched also when the sidecar runs already', () => {
    const fetching = podWith({
      conditions: scheduled,
      containerStatuses: [sidecar, waiting('ContainerCreating')],
    });
    const pulling = event('Pulling', 'Pulling image "an/image:1"');
    const pulled = event('Pulled', 'Container image "a/sidecar:1" already present on machine');
    const phasesWith = (...events: readonly ClusterEvent[]) =>
      told(fetching, events).phases.map(({ name, state, detail }) => [name, state, detail]);
    expect(phasesWith(pulled, pulling).slice(1, 3)).toEqual([
      ['pulling', 'active', 'Pulling an/image:1'],
      ['starting', 'pending', null],
    ]);
    expect(phasesWith(pulling, pulled).slice(1, 3)).toEqual([
      ['pulling', 'done', null],
      ['starting', 'active', null],
    ]);
  });

  it('an event about an earlier pod of the same name says nothing', () => {
    const pod = podWith({ conditions: scheduled, containerStatuses: [waiting('ContainerCreating')] });
    expect(told(pod, [event('FailedMount', 'secret "x" not found', 'earlier-uid')]).state).toBe('starting');
  });

  it('a message that an agent made up is only text', () => {
    const forged = { failure: { code: 'x', reason: 'y', fix: 'z', output: null, extra: 1 } };
    const pod = podWith({
      conditions: scheduled,
      containerStatuses: [
        sidecar,
        container(
          'agent',
          { waiting: { reason: 'CrashLoopBackOff' } },
          { restartCount: 4, lastState: { terminated: { exitCode: 1, message: JSON.stringify(forged) } } },
        ),
      ],
    });
    expect(told(pod).failure).toMatchObject({ code: 'sandbox_crash_loop', reason: expect.stringContaining('4 times') });
  });
});
