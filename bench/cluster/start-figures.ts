import type { AgentStatus } from '@sac/contracts';
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
  /** From what the browser knows until it knows that the CLI is ready; beside the terminal, which shows it start. */
  readonly cliMs: number;
}

const totalOf = ({ podMs, readyMs, toldMs, terminalMs }: Start): number => podMs + readyMs + toldMs + terminalMs;

type PodSpec = Readonly<Record<string, unknown>>;

/** A pod of the same image that does nothing; its volume comes in addition. */
const idlePod = (image: string): PodSpec => ({
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
      name: 'agent',
      image,
      command: ['sleep', '3600'],
      securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } },
      volumeMounts: [{ name: 'home', mountPath: '/home/agent' }],
    },
  ],
  volumes: [],
});

interface Volume {
  readonly name: string;
}

/** What an agent's pod consists of, to be made again without SAC. */
const podLike = async (pod: string): Promise<PodSpec> => {
  const { spec } = JSON.parse(await kubectlAgents('get', 'pod', pod, '--output', 'json')) as { spec: PodSpec };
  const { nodeName: _node, hostname: _host, ...kept } = spec;
  const volumes = (spec['volumes'] as readonly Volume[]).filter(({ name }) => name !== 'home');
  return { ...kept, volumes, terminationGracePeriodSeconds: 0 };
};

/** Makes a pod and a new volume by hand. @returns milliseconds from its creation until it has started */
const startByHand = async (pods: PodWatch, name: string, spec: PodSpec): Promise<number> => {
  const metadata = { name, namespace: cluster.agents };
  const claim = {
    apiVersion: 'v1',
    kind: 'PersistentVolumeClaim',
    metadata,
    spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } },
  };
  const volumes = [
    ...(spec['volumes'] as readonly Volume[]),
    { name: 'home', persistentVolumeClaim: { claimName: name } },
  ];
  const pod = { apiVersion: 'v1', kind: 'Pod', metadata, spec: { ...spec, volumes } };
  const since = performance.now();
  await run(
    'kubectl',
    ['create', '--filename', '-'],
    JSON.stringify({ apiVersion: 'v1', kind: 'List', items: [claim, pod] }),
  );
  const { createdMs, readyMs } = await pods.ready(name, since);
  await kubectlAgents('delete', `pod/${name}`, `pvc/${name}`, '--grace-period=0', '--force');
  pods.forget(name);
  return readyMs - createdMs;
};

const podNameOf = (user: ApiUser, agentId: string): string => `claude-code-${user.signedIn.user.id}-${agentId}-0`;

interface Opened {
  readonly start: Start;
  readonly sessionId: string;
}

/** Opens a sleeping agent as a page does: asks for it, hears that it can be reached, connects. */
const open = async (user: ApiUser, agentId: string, pods: PodWatch, events: EventClient): Promise<Opened> => {
  const pod = podNameOf(user, agentId);
  const seen = events.received.length;
  const beganMs = performance.now();
  const { session } = await user.call('openSession', { body: { agentId } });
  const deadlineMs = beganMs + START_TIMEOUT_MS;
  const told = async (what: string, isIt: (status: AgentStatus) => boolean): Promise<number> => {
    const isSaid = (): boolean =>
      events.received
        .slice(seen)
        .some(({ event }) => event.type === 'agent' && event.agent.id === agentId && isIt(event.agent.status));
    while (!isSaid()) {
      if (performance.now() > deadlineMs) throw new Error(`agent ${agentId} is not ${what} in ${START_TIMEOUT_MS} ms`);
      await sleep(LOOK_EVERY_MS);
    }
    return performance.now();
  };
  const isReady = told('ready', ({ state }) => state === 'ready');
  isReady.catch(() => undefined); // waited for below
  const toldAtMs = await told('reachable', ({ reachable }) => reachable);
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
      cliMs: (await isReady) - toldAtMs,
    },
  };
};

const putToSleep = async (user: ApiUser, agentId: string, pods: PodWatch): Promise<void> => {
  const pod = podNameOf(user, agentId);
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

const partsOf = (starts: readonly Start[]): string => {
  const slowest = starts.toSorted((left, right) => totalOf(right) - totalOf(left))[0];
  const parts = (of: (part: keyof Start) => string): string =>
    `until the pod exists ${of('podMs')} ms, until it is ready ${of('readyMs')} ms, until the browser hears ${of('toldMs')} ms, until the terminal shows ${of('terminalMs')} ms (and beside it, until the CLI is said to be ready, ${of('cliMs')} ms)`;
  return `medians: ${parts((part) => medianOf(starts, part))}; slowest: ${parts((part) => (slowest?.[part] ?? 0).toFixed(0))}`;
};

interface Rounds {
  readonly bare: readonly number[];
  readonly alike: readonly number[];
  readonly created: readonly Start[];
  readonly woken: readonly Start[];
}

const figuresOf = ({ bare, alike, created, woken }: Rounds): Figure[] => {
  const above = (others: readonly number[]) => created.map((start, index) => totalOf(start) - (others[index] ?? 0));
  const told = [...created, ...woken].map(({ toldMs }) => toldMs);
  return [
    {
      name: 'opening a new agent to its terminal, above the start of a bare pod, p95',
      value: percentile(above(bare), 95),
      unit: 'ms',
      atMost: 300,
      conditions: `${created.length} shell agents in turns with as many bare pods (same image and node, a new volume each; p50 ${percentile(bare, 50).toFixed(0)} ms, p95 ${percentile(bare, 95).toFixed(0)} ms); whole p50 ${percentile(created.map(totalOf), 50).toFixed(0)} ms, p95 ${percentile(created.map(totalOf), 95).toFixed(0)} ms; ${partsOf(created)}`,
    },
    {
      name: 'the same, above a pod of the same containers that is made by hand, p95',
      value: percentile(above(alike), 95),
      unit: 'ms',
      conditions: `what SAC, its set and the connection add; p50 ${percentile(above(alike), 50).toFixed(0)} ms; those pods p50 ${percentile(alike, 50).toFixed(0)} ms, p95 ${percentile(alike, 95).toFixed(0)} ms`,
    },
    {
      name: 'waking an agent to its terminal, p95',
      value: percentile(woken.map(totalOf), 95),
      unit: 'ms',
      atMost: 3_000,
      conditions: `${woken.length} times, image on the node; p50 ${percentile(woken.map(totalOf), 50).toFixed(0)} ms; ${partsOf(woken)}`,
    },
    {
      name: 'terminal server of the pod started to the browser being told that the agent can be reached, p95',
      value: percentile(told, 95),
      unit: 'ms',
      atMost: 500,
      conditions: `${told.length} starts; from kubectl's watch to the event stream of the API`,
    },
  ];
};

/** How long a start takes, by part, in turns with pods that are made by hand. */
export const startFigures = async (image: string, count: number): Promise<Figure[]> => {
  const user = await admin('starter');
  const pods = new PodWatch(cluster.agents);
  const events = new EventClient(cluster.origin, {
    authorization: `Bearer ${user.signedIn.accessToken}`,
    origin: cluster.origin,
  });
  const bare: number[] = [];
  const alike: number[] = [];
  const created: Start[] = [];
  const woken: Start[] = [];
  try {
    for (let index = 0; index < count; index += 1) {
      bare.push(await startByHand(pods, `bare-${index}`, idlePod(image)));
      const body = agentOnDemoModel(`Start ${index}`, { cli: 'shell', provider: null });
      const { id: agentId } = await user.call('createAgent', { body });
      created.push((await open(user, agentId, pods, events)).start);
      const spec = await podLike(podNameOf(user, agentId));
      await putToSleep(user, agentId, pods);
      alike.push(await startByHand(pods, `alike-${index}`, spec));
      woken.push((await open(user, agentId, pods, events)).start);
      await user.call('deleteAgent', { params: { agentId } });
    }
  } finally {
    events.close();
    pods.end();
  }
  return figuresOf({ bare, alike, created, woken });
};
