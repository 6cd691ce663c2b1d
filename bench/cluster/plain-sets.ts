import { KubeConfig, type V1StatefulSet } from '@kubernetes/client-node';
import { ClusterClient, pathOf, type ClusterObject } from '../../backend/src/runtimes/kubernetes/cluster-client.ts';
import { Pacer } from '../../backend/src/runtimes/kubernetes/pacer.ts';
import { cluster, eventually } from '../../e2e/support/cluster.ts';

const LABEL = 'sac.dev/bench-plain';
const PER_SECOND = 20;
const TIMEOUT_MS = 10 * 60_000;
const LOOK_EVERY_MS = 2_000;

/** The set of an agent, known to nobody: no label of ours, no volume, no pod yet. */
const plainSetOf = (name: string, { spec }: V1StatefulSet): V1StatefulSet & ClusterObject => {
  const labels = { [LABEL]: name };
  const { volumes = [], containers = [], ...pod } = spec?.template.spec ?? { containers: [] };
  const home = { name: 'home', emptyDir: {} };
  return {
    apiVersion: 'apps/v1',
    kind: 'StatefulSet',
    metadata: { name, namespace: cluster.agents, labels },
    spec: {
      replicas: 0,
      serviceName: name,
      podManagementPolicy: 'Parallel',
      selector: { matchLabels: labels },
      template: { metadata: { labels }, spec: { ...pod, containers, volumes: [...volumes, home] } },
    },
  };
};

/**
 * What the cluster itself needs: as many sets as `count`, made from that of an agent, each told to have one pod, at the pace at
 * which agents start and without anything of this product. @returns seconds until all their pods are ready
 */
export const wakePlainSets = async (count: number): Promise<number> => {
  const kubeConfig = new KubeConfig();
  kubeConfig.loadFromDefault();
  const client = new ClusterClient(kubeConfig);
  const { signal } = new AbortController();
  const all = pathOf('statefulsets', cluster.agents);
  const list = async (query: Readonly<Record<string, string>>) =>
    (await client.call<{ items: V1StatefulSet[] }>({ method: 'GET', path: all, query })).items;
  const names = Array.from({ length: count }, (_, index) => `plain-${index}`);
  try {
    const [model] = await list({ limit: '1', labelSelector: 'app.kubernetes.io/component=sandbox' });
    if (model === undefined) throw new Error('there is no agent whose set could be copied');
    for (const name of names) await client.apply(`${all}/${name}`, plainSetOf(name, model));
    const pacer = new Pacer(PER_SECOND);
    const beganMs = performance.now();
    await Promise.all(
      names.map(async (name) => {
        await pacer.turn(signal);
        await client.merge(`${all}/${name}`, { spec: { replicas: 1 } });
      }),
    );
    const isReady = ({ status }: V1StatefulSet): boolean => status?.readyReplicas === 1;
    const areReady = async () => (await list({ labelSelector: LABEL })).every(isReady);
    await eventually('the plain sets have their pods', areReady, TIMEOUT_MS, LOOK_EVERY_MS);
    return (performance.now() - beganMs) / 1_000;
  } finally {
    for (const name of names) await client.delete(`${all}/${name}`);
    await client.close();
  }
};
