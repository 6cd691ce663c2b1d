import { setTimeout as delay } from 'node:timers/promises';
import { AppsV1Api, KubeConfig, PatchStrategy, setHeaderOptions, type V1StatefulSet } from '@kubernetes/client-node';
import { cluster, eventually } from '../../e2e/support/cluster.ts';

const LABEL = 'sac.dev/bench-plain';
const PER_SECOND = 20;
const TIMEOUT_MS = 10 * 60_000;
const LOOK_EVERY_MS = 2_000;

/** The set of an agent, known to nobody: no label of ours, no volume, no pod yet. */
const plainSetOf = (name: string, { spec }: V1StatefulSet): V1StatefulSet => {
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
  const api = kubeConfig.makeApiClient(AppsV1Api);
  const namespace = cluster.agents;
  const list = async (labelSelector: string) =>
    (await api.listNamespacedStatefulSet({ namespace, labelSelector })).items;
  const merge = setHeaderOptions('Content-Type', PatchStrategy.MergePatch);
  const names = Array.from({ length: count }, (_, index) => `plain-${index}`);
  try {
    const agents = await list('app.kubernetes.io/component=sandbox');
    const model = agents.find(({ spec }) => spec?.template.spec?.nodeSelector?.['sac.dev/fake-node'] === 'true');
    if (model === undefined) throw new Error('there is no agent on a fake node whose set could be copied');
    for (const name of names) await api.createNamespacedStatefulSet({ namespace, body: plainSetOf(name, model) });
    const beganMs = performance.now();
    await Promise.all(
      names.map(async (name, index) => {
        await delay((index * 1_000) / PER_SECOND);
        await api.patchNamespacedStatefulSet({ name, namespace, body: { spec: { replicas: 1 } } }, merge);
      }),
    );
    const areReady = async () => (await list(LABEL)).every(({ status }) => status?.readyReplicas === 1);
    await eventually('the plain sets have their pods', areReady, TIMEOUT_MS, LOOK_EVERY_MS);
    return (performance.now() - beganMs) / 1_000;
  } finally {
    await api.deleteCollectionNamespacedStatefulSet({ namespace, labelSelector: LABEL });
  }
};
