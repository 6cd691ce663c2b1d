import { EventClient } from '../../backend/test/event-client.ts';
import { admin, agentOnDemoModel, viewer, waitForState } from '../../e2e/support/cluster-people.ts';
import { cluster, eventually, kubectlAgents, run } from '../../e2e/support/cluster.ts';
import type { ApiUser } from '../../e2e/support/api.ts';
import { percentile, type Figure } from '../figures.ts';
import { PodWatch } from './pod-watch.ts';

const LOOK_EVERY_MS = 10;
const START_TIMEOUT_MS = 120_000;
/** Of waits for what is measured. */
const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

interface Start {
  /** Until the pod exists, until it is ready, until the browser knows it, and until the first byte of the terminal came. */
  readonly podMs: number;
  readonly readyMs: number;
  readonly toldMs: number;
  readonly terminalMs: number;
}

const totalOf = ({ podMs, readyMs, toldMs, terminalMs }: Start): number => podMs + readyMs + toldMs + terminalMs;

/** A pod of the same image with a volume of its own that does nothing. */
const barePod = (name: string, image: string, claim: string): string =>
  JSON.stringify({
    apiVersion: 'v1',
    kind: 'List',
    items: [
      {
        apiVersion: 'v1',
        kind: 'PersistentVolumeClaim',
        metadata: { name: claim, namespace: cluster.agents },
        spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } },
      },
      {
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: { name, namespace: cluster.agents },
        spec: {
          automountServiceAccountToken: false,
          securityContext: {
            runAsNonRoot: true,
            runAsUser: 1000,
            fsGroup: 1000,
            seccompProfile: { type: 'RuntimeDefault' },
          },
          terminationGracePeriodSeconds: 0,
          containers: [
            {
              name: 'bare',
              image,
              command: ['sleep', '3600'],
              securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } },
              volumeMounts: [{ name: 'home', mountPath: '/home/agent' }],
            },
          ],
          volumes: [{ name: 'home', persistentVolumeClaim: { claimName: claim } }],
        },
      },
    ],
  });

const startBare = async (pods: PodWatch, index: number, image: string): Promise<number> => {
  const name = `bare-${index}`;
  const since = performance.now();
  await run('kubectl', ['create', '--filename', '-'], barePod(name, image, name));
  const { createdMs, readyMs } = await pods.ready(name, since);
  await kubectlAgents('delete', `pod/${name}`, `pvc/${name}`, '--grace-period=0', '--force');
  pods.forget(name);
  return readyMs - createdMs;
};

interface Opened {
  readonly start: Start;
  readonly sessionId: string;
}

/** Opens a sleeping agent as a page does: asks for it, hears that it is ready, connects. */
const open = async (user: ApiUser, agentId: string, pods: PodWatch, events: EventClient): Promise<Opened> => {
  const pod = `claude-code-${user.signedIn.user.id}-${agentId}-0`;
  const seen = events.received.length;
  const beganMs = performance.now();
  const { session } = await user.call('openSession', { body: { agentId } });
  const deadlineMs = beganMs + START_TIMEOUT_MS;
  const isTold = (): boolean =>
    events.received
      .slice(seen)
      .some(
        ({ event }) => event.type === 'agent' && event.agent.id === agentId && event.agent.status.state === 'ready',
      );
  while (!isTold()) {
    if (performance.now() > deadlineMs) throw new Error(`agent ${agentId} is not ready within ${START_TIMEOUT_MS} ms`);
    await sleep(LOOK_EVERY_MS);
  }
  const toldAtMs = performance.now();
  const shown = Promise.withResolvers<number>();
  const seat = await viewer(user, { agentId, sessionId: session.id }, 'main', () => shown.resolve(performance.now()));
  const shownAtMs = await shown.promise;
  seat.close();
  const { createdMs, readyMs } = await pods.ready(pod, beganMs);
  return {
    sessionId: session.id,
    start: {
      podMs: createdMs - beganMs,
      readyMs: readyMs - createdMs,
      toldMs: toldAtMs - readyMs,
      terminalMs: shownAtMs - toldAtMs,
    },
  };
};

const putToSleep = async (user: ApiUser, agentId: string, pods: PodWatch): Promise<void> => {
  const pod = `claude-code-${user.signedIn.user.id}-${agentId}-0`;
  await user.call('sleepAgent', { params: { agentId }, body: {} });
  await waitForState(user, agentId, /asleep/);
  await eventually(
    'its pod is gone',
    async () =>
      (await kubectlAgents('get', 'pods', '--field-selector', `metadata.name=${pod}`, '--output', 'name')) === '',
  );
  pods.forget(pod);
};

const medianOf = (starts: readonly Start[], part: keyof Start): string =>
  percentile(
    starts.map((start) => start[part]),
    50,
  ).toFixed(0);

const partsOf = (starts: readonly Start[]): string =>
  `medians: until the pod exists ${medianOf(starts, 'podMs')} ms, until it is ready ${medianOf(starts, 'readyMs')} ms, until the browser hears ${medianOf(starts, 'toldMs')} ms, until the terminal shows ${medianOf(starts, 'terminalMs')} ms`;

const figuresOf = (bare: readonly number[], created: readonly Start[], woken: readonly Start[]): Figure[] => {
  const above = created.map((start, index) => totalOf(start) - (bare[index] ?? 0));
  const told = [...created, ...woken].map(({ toldMs }) => toldMs);
  return [
    {
      name: 'opening a new agent to its terminal, above the start of a bare pod, p95',
      value: percentile(above, 95),
      unit: 'ms',
      atMost: 300,
      conditions: `${created.length} shell agents in turns with as many bare pods (same image and node, a new volume each; p50 ${percentile(bare, 50).toFixed(0)} ms, p95 ${percentile(bare, 95).toFixed(0)} ms); whole p50 ${percentile(created.map(totalOf), 50).toFixed(0)} ms, p95 ${percentile(created.map(totalOf), 95).toFixed(0)} ms; ${partsOf(created)}`,
    },
    {
      name: 'waking an agent to its terminal, p95',
      value: percentile(woken.map(totalOf), 95),
      unit: 'ms',
      atMost: 3_000,
      conditions: `${woken.length} times, image on the node; p50 ${percentile(woken.map(totalOf), 50).toFixed(0)} ms; ${partsOf(woken)}`,
    },
    {
      name: 'terminal server of the pod started to the browser being told that the agent is ready, p95',
      value: percentile(told, 95),
      unit: 'ms',
      atMost: 500,
      conditions: `${told.length} starts; from kubectl's watch to the event stream of the API`,
    },
  ];
};

/** How long a start takes, by part, in turns with a pod that does nothing. */
export const startFigures = async (image: string, count: number): Promise<Figure[]> => {
  const user = await admin('starter');
  const pods = new PodWatch(cluster.agents);
  const events = new EventClient(cluster.origin, {
    authorization: `Bearer ${user.signedIn.accessToken}`,
    origin: cluster.origin,
  });
  const bare: number[] = [];
  const created: Start[] = [];
  const woken: Start[] = [];
  try {
    for (let index = 0; index < count; index += 1) {
      bare.push(await startBare(pods, index, image));
      const body = agentOnDemoModel(`Start ${index}`, { cli: 'shell', provider: null });
      const { id: agentId } = await user.call('createAgent', { body });
      created.push((await open(user, agentId, pods, events)).start);
      await putToSleep(user, agentId, pods);
      woken.push((await open(user, agentId, pods, events)).start);
      await user.call('deleteAgent', { params: { agentId } });
    }
  } finally {
    events.close();
    pods.end();
  }
  return figuresOf(bare, created, woken);
};
