import { admin, agentOnDemoModel, invited } from '../../e2e/support/cluster-people.ts';
import { cluster, eventually, install, kubectl, kubectlHere, podsOf } from '../../e2e/support/cluster.ts';
import type { ApiUser } from '../../e2e/support/api.ts';
import { percentile, type Figure } from '../figures.ts';
import { haveFakeNodes, haveVolumes, keepNodes, onFakeNodes, removeVolumes } from './fake-nodes.ts';
import { PodWatch } from './pod-watch.ts';
import { wakePlainSets } from './plain-sets.ts';

const AGENTS = Number(process.env['SAC_BENCH_AGENTS'] ?? 2_000);
const AGENTS_PER_USER = 100;
const AGENTS_PER_NODE = 800;
const WOKEN = Math.min(200, AGENTS);
const CALLERS = 10;
const CALLS = 1_000;
const CALLS_PER_SECOND = 50;
const STEADY_MS = 60_000;
const ALL_START_TIMEOUT_MS = 20 * 60_000;
const LOOK_EVERY_MS = 2_000;
const UNDISTURBED_MS = 30_000;
/** The fake nodes of a small machine lose their leases when it has too much to do at once. */
const BATCH = 250;

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

interface Owned {
  readonly user: ApiUser;
  readonly agentId: string;
}

/** As many at once as `callers`, in the order of the list. */
const spread = async <T>(items: readonly T[], callers: number, work: (item: T) => Promise<unknown>): Promise<void> => {
  const waiting = items.values();
  await Promise.all(
    Array.from({ length: callers }, async () => {
      for (const item of waiting) await work(item);
    }),
  );
};

/** One after the other: a password takes as much CPU as some hundred calls, and so many sign-ins at once are refused. */
const renewAll = async (users: readonly ApiUser[]): Promise<void> => {
  for (const user of users) await user.renew();
};

/** A metric of one pod of api-gateway; lines that match are added up. */
const metricOf = async (pod: string, pattern: RegExp): Promise<number> => {
  const script = 'fetch("http://127.0.0.1:9464/metrics").then(async (r) => console.log(await r.text()))';
  const text = await kubectlHere('exec', pod, '-c', 'api-gateway', '--', 'node', '-e', script);
  const lines = text.split('\n').filter((line) => pattern.test(line));
  return lines.reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0);
};

/** Sums of a metric over the replicas of api-gateway. */
const gatewayMetric = async (pattern: RegExp): Promise<number> => {
  let sum = 0;
  for (const pod of await podsOf('api-gateway')) sum += await metricOf(pod, pattern);
  return sum;
};

/** As api-gateway sees them: to list two thousand pods takes kubectl seconds of CPU. */
const runningSandboxes = async (): Promise<number> =>
  metricOf((await podsOf('api-gateway'))[0] ?? '', /^sac_sandboxes\{state="running"\} /);

/** Lists of one namespace that anybody asked the API server for: controllers of the cluster list over all namespaces. */
const namespaceLists = async (): Promise<number> => {
  const text = await kubectl('get', '--raw', '/metrics');
  return text
    .split('\n')
    .filter((line) => line.startsWith('apiserver_request_total{') && line.includes('verb="LIST"'))
    .filter(
      (line) =>
        line.includes('scope="namespace"') &&
        /resource="(pods|statefulsets|services|secrets|events|persistentvolumeclaims)"/.test(line),
    )
    .reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0);
};

const untilRunning = (what: string, isEnough: (sandboxes: number) => boolean): Promise<void> =>
  eventually(what, async () => isEnough(await runningSandboxes()), ALL_START_TIMEOUT_MS, LOOK_EVERY_MS);

const createAll = async (users: readonly ApiUser[]): Promise<{ all: Owned[]; errors: string[]; seconds: number }> => {
  const all: Owned[] = [];
  const errors: string[] = [];
  const beganMs = performance.now();
  const wanted = Array.from({ length: AGENTS }, (_, index) => ({ user: users[index % users.length], index }));
  for (let from = 0; from < AGENTS; from += BATCH) {
    await renewAll(users);
    await spread(wanted.slice(from, from + BATCH), CALLERS, async ({ user, index }) => {
      if (user === undefined) return;
      try {
        const body = agentOnDemoModel(`Many ${index}`, { cli: 'shell', provider: null });
        const { id: agentId } = await user.call('createAgent', { body });
        await user.call('openSession', { body: { agentId } });
        all.push({ user, agentId });
      } catch (error) {
        errors.push(error instanceof Error ? error.message : String(error));
      }
    });
    await untilRunning(`${all.length} sandboxes run`, (sandboxes) => sandboxes >= all.length);
  }
  return { all, errors, seconds: (performance.now() - beganMs) / 1_000 };
};

const failedOf = async (users: readonly ApiUser[]): Promise<number> => {
  let failed = 0;
  for (const user of users) {
    const { agents } = await user.call('listAgents', {});
    failed += agents.filter(({ status }) => status.state === 'failed').length;
  }
  return failed;
};

/** One agent and a whole list in turns, each call somebody else's. @returns what each took, in ms */
const calls = (all: readonly Owned[], times: number[]): (() => Promise<void>)[] =>
  Array.from({ length: CALLS }, (_, index) => async () => {
    const owned = all[(index * 7919) % all.length];
    if (owned === undefined) return;
    const beganMs = performance.now();
    await (index % 2 === 0
      ? owned.user.call('getAgent', { params: { agentId: owned.agentId } })
      : owned.user.call('listAgents', {}));
    times.push(performance.now() - beganMs);
  });

/** Nobody pauses: as much as the machine can do. */
const timesWithoutPause = async (all: readonly Owned[]): Promise<number[]> => {
  const times: number[] = [];
  await spread(calls(all, times), CALLERS, (call) => call());
  return times;
};

/** At set times, whatever became of the calls before. */
const timesAtARate = async (all: readonly Owned[]): Promise<number[]> => {
  const times: number[] = [];
  const begun: Promise<void>[] = [];
  const beganMs = performance.now();
  for (const [index, call] of calls(all, times).entries()) {
    await sleep(Math.max(0, beganMs + (index * 1_000) / CALLS_PER_SECOND - performance.now()));
    begun.push(call());
  }
  await Promise.all(begun);
  return times;
};

/** Their pods are gone: one that still ends would count as a part of waking. */
const areAsleep = async (chosen: readonly Owned[]): Promise<boolean> => {
  const wanted = new Set(chosen.map(({ agentId }) => agentId));
  for (const user of new Set(chosen.map((owned) => owned.user))) {
    const { agents } = await user.call('listAgents', {});
    if (agents.some(({ id, status }) => wanted.has(id) && status.state !== 'asleep')) return false;
  }
  return true;
};

const wakeMany = async (all: readonly Owned[]): Promise<{ seconds: number; errors: number }> => {
  const chosen = all.slice(0, WOKEN);
  await spread(chosen, CALLERS, ({ user, agentId }) => user.call('sleepAgent', { params: { agentId }, body: {} }));
  await eventually('they sleep', () => areAsleep(chosen), ALL_START_TIMEOUT_MS, LOOK_EVERY_MS);
  let errors = 0;
  const beganMs = performance.now();
  await Promise.all(
    chosen.map(({ user, agentId }) =>
      user.call('openSession', { body: { agentId } }).catch(() => {
        errors += 1;
      }),
    ),
  );
  await untilRunning('they are awake', (sandboxes) => sandboxes >= all.length - errors);
  return { seconds: (performance.now() - beganMs) / 1_000, errors };
};

/** A line of the log of a pod's api-gateway as it runs now; null before there is one. */
const logLineOf = async (pod: string, words: string): Promise<string | null> =>
  (await kubectlHere('logs', pod, '-c', 'api-gateway')).split('\n').find((line) => line.includes(words)) ?? null;

/** What a pod of api-gateway says of reading the cluster at its start. */
const readMsOf = async (pod: string): Promise<number | null> => {
  const said = await logLineOf(pod, 'the cluster was read');
  return said === null ? null : Number(/"readMs":(\d+)/.exec(said)?.[1]);
};

/** When the first process of a pod's api-gateway began, by the pod's clock, to 10 ms. Fields and units: proc(5). */
const startedMsOf = async (pod: string): Promise<number> => {
  const script = `
    const [stat, uptime] = ['/proc/1/stat', '/proc/uptime'].map((path) => require('fs').readFileSync(path, 'utf8'));
    const ticks = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]);
    console.log(Date.now() - Number(uptime.split(' ')[0]) * 1000 + ticks * 10);`;
  return Number(await kubectlHere('exec', pod, '-c', 'api-gateway', '--', 'node', '-e', script));
};

/** Ends the process of every api-gateway in its pod. @returns ms from the start of each next one to its listening */
const restartInPlace = async (): Promise<number[]> => {
  const pods = await podsOf('api-gateway');
  const before = await Promise.all(pods.map(startedMsOf));
  for (const pod of pods) await kubectlHere('exec', pod, '-c', 'api-gateway', '--', 'bash', '-c', 'kill -TERM 1');
  // The times come from the pods: to look while they start would take the CPU they need.
  await sleep(UNDISTURBED_MS);
  return Promise.all(
    pods.map(async (pod, index) => {
      let tookMs = NaN;
      const isBack = async (): Promise<boolean> => {
        const startedMs = await startedMsOf(pod).catch(() => 0);
        if (startedMs < (before[index] ?? 0) + 1_000) return false;
        const said = await logLineOf(pod, 'api-gateway is listening').catch(() => null);
        const listeningMs = Date.parse(/"time":"([^"]+)"/.exec(said ?? '')?.[1] ?? '');
        tookMs = listeningMs - startedMs;
        return tookMs > 0;
      };
      await eventually(`${pod} listens again`, isBack, ALL_START_TIMEOUT_MS, UNDISTURBED_MS);
      return tookMs;
    }),
  );
};

/** New pods of api-gateway in place of all, until one has read the cluster and says that it is ready. */
const restartGateway = async (): Promise<{ totalMs: number; readMs: readonly (number | null)[] }> => {
  const before = await podsOf('api-gateway');
  const watch = new PodWatch(cluster.namespace);
  try {
    await watch.firstReady((name) => before.includes(`pod/${name}`), ALL_START_TIMEOUT_MS);
    const beganMs = performance.now();
    await kubectlHere('delete', ...before, '--grace-period=0', '--force');
    const isNew = (name: string): boolean => name.includes('-api-gateway-') && !before.includes(`pod/${name}`);
    const readyMs = await watch.firstReady(isNew, ALL_START_TIMEOUT_MS);
    return { totalMs: readyMs - beganMs, readMs: await Promise.all((await podsOf('api-gateway')).map(readMsOf)) };
  } finally {
    watch.end();
  }
};

const steady = async () => {
  const [cpuBefore, listsBefore] = [await gatewayMetric(/^process_cpu_seconds_total /), await namespaceLists()];
  const beganMs = performance.now();
  await sleep(STEADY_MS);
  const seconds = (performance.now() - beganMs) / 1_000;
  const lists = (await namespaceLists()) - listsBefore;
  const cores = ((await gatewayMetric(/^process_cpu_seconds_total /)) - cpuBefore) / seconds;
  return { lists, cores, bytes: await gatewayMetric(/^process_resident_memory_bytes /) };
};

/** Many agents on nodes that run nothing: what the control plane makes of them. */
export const manyFigures = async (): Promise<Figure[]> => {
  await haveFakeNodes(Math.ceil(AGENTS / AGENTS_PER_NODE) + 1);
  await removeVolumes();
  await haveVolumes(AGENTS);
  const letNodesGo = await keepNodes();
  try {
    return await figuresOfMany();
  } finally {
    letNodesGo();
    await removeVolumes();
  }
};

const figuresOfMany = async (): Promise<Figure[]> => {
  await install(...onFakeNodes);
  const root = await admin('many');
  await root.call('updateSettings', { body: { agentsPerUser: 1_000 } });
  const users: ApiUser[] = [];
  for (let index = 0; index < Math.ceil(AGENTS / AGENTS_PER_USER); index += 1)
    users.push(await invited(root, `many-${index}`));
  const bytesBefore = await gatewayMetric(/^process_resident_memory_bytes /);
  const { all, errors, seconds } = await createAll(users);
  const failed = await failedOf(users);
  // What a later part breaks off is not lost.
  const told = async <T>(what: string, measured: Promise<T>, of: (value: T) => number): Promise<T> => {
    const value = await measured;
    console.log(`  ${what}: ${of(value).toFixed(1)}`);
    return value;
  };
  console.log(`  ${all.length} agents run after ${seconds.toFixed(0)} s`);
  const p95 = (times: readonly number[]): number => percentile(times, 95);
  await renewAll(users);
  const paced = await told('API at a rate, p95 in ms', timesAtARate(all), p95);
  await renewAll(users);
  const busy = await told('API without a pause, p95 in ms', timesWithoutPause(all), p95);
  const calm = await told('cores at rest', steady(), ({ cores }) => cores);
  await renewAll(users);
  const woken = await told('agents woken, s', wakeMany(all), (value) => value.seconds);
  const inPlace = await told('api-gateway restarted in place, ms', restartInPlace(), (times) => Math.min(...times));
  const inPlaceReadMs = await Promise.all((await podsOf('api-gateway')).map(readMsOf));
  const restart = await told('api-gateway ready again, ms', restartGateway(), (value) => value.totalMs);
  const plainSeconds = await told('plain sets, s', wakePlainSets(WOKEN), (value) => value);
  const thousands = AGENTS / 1_000;
  const secondsOf = (times: readonly (number | null)[]): string =>
    times.map((ms) => `${((ms ?? NaN) / 1_000).toFixed(1)} s`).join(' and ');
  const replicas = (await podsOf('api-gateway')).length;
  return [
    {
      name: `${AGENTS} agents created and started: with an error`,
      value: errors.length + failed,
      unit: '',
      atMost: 0,
      conditions: `${users.length} people, in parts of ${BATCH} that are waited for, each at up to 20 a second; ${seconds.toFixed(0)} s until all pods are ready; ${errors[0]?.slice(0, 200) ?? 'no error'}`,
    },
    {
      name: `API with ${AGENTS} active agents, p95`,
      value: percentile(paced, 95),
      unit: 'ms',
      atMost: 150,
      conditions: `${paced.length} calls, ${CALLS_PER_SECOND} a second, one agent and list of ${AGENTS_PER_USER} in turns; p50 ${percentile(paced, 50).toFixed(0)} ms`,
    },
    {
      name: 'the same, as many calls as the machine can do, p95',
      value: percentile(busy, 95),
      unit: 'ms',
      atMost: 150,
      conditions: `${CALLERS} at once without a pause; p50 ${percentile(busy, 50).toFixed(0)} ms`,
    },
    {
      name: 'lists asked of the API server in a minute of rest',
      value: calm.lists,
      unit: '',
      atMost: 0,
      conditions: 'of objects of one namespace, by anybody',
    },
    {
      name: 'CPU of api-gateway at rest per 1,000 agents',
      value: (calm.cores / thousands) * 1_000,
      unit: 'millicores',
      conditions: `${replicas} replicas together, over a minute`,
    },
    {
      name: 'memory of api-gateway per 1,000 agents',
      value: (calm.bytes - bytesBefore) / thousands / 2 ** 20,
      unit: 'MiB',
      conditions: `${replicas} replicas together, ${(calm.bytes / 2 ** 20).toFixed(0)} MiB in all; garbage not collected on purpose`,
    },
    {
      name: `${WOKEN} agents woken at once, until the last one runs`,
      value: woken.seconds,
      unit: 's',
      atMost: 60,
      digits: 1,
      conditions: `paced at 20 a second; ${woken.errors} refused; looked at every ${LOOK_EVERY_MS / 1_000} s`,
    },
    {
      name: `${WOKEN} sets without SAC, told at the same pace to have a pod, until the last one runs`,
      value: plainSeconds,
      unit: 's',
      digits: 1,
      conditions: `beside the agents; copies of their sets without a volume; agents take ${(woken.seconds / plainSeconds).toFixed(2)} times as long`,
    },
    {
      name: `every api-gateway ended in its pod beside ${AGENTS} agents, from its next start until the first has caught up`,
      value: Math.min(...inPlace) / 1_000,
      unit: 's',
      atMost: 10,
      digits: 1,
      conditions: `${secondsOf(inPlace)} in ${replicas} replicas at once; reading the cluster took ${secondsOf(inPlaceReadMs)} of it`,
    },
    {
      name: `every pod of api-gateway deleted by force beside ${AGENTS} agents, until one is ready again`,
      value: restart.totalMs / 1_000,
      unit: 's',
      atMost: 10,
      digits: 1,
      conditions: `the start of its pod included; reading the cluster took ${secondsOf(restart.readMs)} of it`,
    },
  ];
};
