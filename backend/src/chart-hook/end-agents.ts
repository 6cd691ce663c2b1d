import { setTimeout as sleep } from 'node:timers/promises';
import type { AppsV1Api, CoreV1Api } from '@kubernetes/client-node';
import { statusOf } from './make-secrets.ts';

export interface EndAgentsOptions {
  readonly core: CoreV1Api;
  readonly apps: AppsV1Api;
  /** Of the release. */
  readonly namespace: string;
  /** Deployment of api-gateway, which would start agents anew. */
  readonly deployment: string;
  /** Namespaces of agents. */
  readonly agentNamespaces: readonly string[];
  /** Objects of other installations stay. */
  readonly installId: string;
  readonly timeoutMs: number;
}

const POLL_MS = 1_000;
const PAGE = 200;
/** Requests under way: one after the other, thousands of agents outlast the hook. */
const AT_ONCE = 20;

const ignoreMissing = async (work: Promise<unknown>): Promise<void> => {
  try {
    await work;
  } catch (error) {
    if (statusOf(error) !== 404) throw error;
  }
};

const until = async (what: string, deadlineMs: number, done: () => Promise<boolean>): Promise<void> => {
  while (!(await done())) {
    if (performance.now() > deadlineMs)
      throw new Error(`${what} took too long. Look at them with kubectl, and try again.`);
    await sleep(POLL_MS);
  }
};

const stopGateway = async ({ apps, namespace, deployment }: EndAgentsOptions, deadlineMs: number): Promise<void> => {
  const body = [{ op: 'replace', path: '/spec/replicas', value: 0 }];
  await ignoreMissing(apps.patchNamespacedDeploymentScale({ name: deployment, namespace, body }));
  await until('Ending api-gateway', deadlineMs, async () => {
    try {
      const { status } = await apps.readNamespacedDeployment({ name: deployment, namespace });
      return (status?.replicas ?? 0) === 0 && (status?.terminatingReplicas ?? 0) === 0;
    } catch (error) {
      if (statusOf(error) === 404) return true;
      throw error;
    }
  });
};

const INSTALL_LABEL = 'sac.dev/install-id';
const IS_AGENT = 'app.kubernetes.io/component=sandbox';

const endNamespace = async (options: EndAgentsOptions, namespace: string, deadlineMs: number): Promise<number> => {
  const { core, apps, installId } = options;
  const ours = { namespace, labelSelector: `${INSTALL_LABEL}=${installId}`, limit: PAGE };
  /** Page after page: what a page names is gone before the next one is asked for. */
  const endAll = async (
    list: () => Promise<{ items: readonly { metadata?: { name?: string } }[] }>,
    remove: (name: string) => Promise<unknown>,
  ): Promise<number> => {
    let count = 0;
    for (;;) {
      const names = (await list()).items.flatMap(({ metadata }) => metadata?.name ?? []);
      if (names.length === 0) return count;
      if (performance.now() > deadlineMs) throw new Error(`Ending the agents in ${namespace} took too long.`);
      const waiting = names.values();
      const work = async (): Promise<void> => {
        for (const name of waiting) await ignoreMissing(remove(name));
      };
      await Promise.all(Array.from({ length: AT_ONCE }, work));
      count += names.length;
    }
  };
  const endSets = (labelSelector: string): Promise<number> =>
    endAll(
      () => apps.listNamespacedStatefulSet({ ...ours, labelSelector }),
      (name) => apps.deleteNamespacedStatefulSet({ name, namespace, propagationPolicy: 'Background' }),
    );
  const ended = await endSets(`${ours.labelSelector},${IS_AGENT}`);
  await endSets(ours.labelSelector); // what tries out the network is no agent
  await until(`Ending the pods of agents in ${namespace}`, deadlineMs, async () => {
    const pods = await core.listNamespacedPod({ ...ours, limit: 1 });
    return pods.items.length === 0;
  });
  await endAll(
    () => core.listNamespacedService(ours),
    (name) => core.deleteNamespacedService({ name, namespace }),
  );
  await endAll(
    () => core.listNamespacedSecret(ours),
    (name) => core.deleteNamespacedSecret({ name, namespace }),
  );
  return ended;
};

/** Ends what runs of all agents, and nothing of what they keep: volumes stay. Answers with how many there were. */
export const endAgents = async (options: EndAgentsOptions): Promise<number> => {
  const deadlineMs = performance.now() + options.timeoutMs;
  await stopGateway(options, deadlineMs);
  let ended = 0;
  for (const namespace of options.agentNamespaces) ended += await endNamespace(options, namespace, deadlineMs);
  return ended;
};
