import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { attempt, kubectl, run } from '../../e2e/support/cluster.ts';
import { findKit } from '../../scripts/cluster-kit.ts';

const RENEW_EVERY_MS = 8_000;

/** Nodes whose pods are ready at once and run nothing: the kit's, or those that the cluster has already. */
export const haveFakeNodes = async (count: number): Promise<void> => {
  const kit = findKit();
  if (kit !== null)
    spawnSync(join(kit, 'up'), ['--fake-nodes', String(count)], { stdio: ['ignore', 'ignore', 'inherit'] });
  const there = await kubectl('get', 'nodes', '--selector', 'sac.dev/fake-node=true', '--output', 'name');
  const found = there.split('\n').filter((name) => name !== '').length;
  if (found < count) throw new Error(`${count} nodes labelled sac.dev/fake-node=true are needed; there are ${found}`);
};

/** What plays the nodes fails to renew their leases now and then, and pods of a node that was away for a moment stay not ready. */
export const keepNodes = async (): Promise<() => void> => {
  const found = await kubectl('get', 'nodes', '--selector', 'sac.dev/fake-node=true', '--output', 'name');
  const names = found.split('\n').flatMap((name) => (name === '' ? [] : [name.replace('node/', '')]));
  const renew = (): Promise<unknown> => {
    const items = names.map((name) => ({
      apiVersion: 'coordination.k8s.io/v1',
      kind: 'Lease',
      metadata: { name, namespace: 'kube-node-lease' },
      spec: { renewTime: new Date().toISOString().replace('Z', '000Z') },
    }));
    const list = JSON.stringify({ apiVersion: 'v1', kind: 'List', items });
    return attempt('kubectl', ['apply', '--server-side', '--force-conflicts', '--filename', '-'], list);
  };
  const timer = setInterval(() => void renew(), RENEW_EVERY_MS);
  return () => clearInterval(timer);
};

const VOLUME_CLASS = 'sac-bench-ready';
const volumeLabel = `sac.dev/bench=${VOLUME_CLASS}`;

/** Volumes that are there before somebody asks: how fast a provisioner makes them is its own affair, and nothing mounts these. */
export const haveVolumes = async (count: number): Promise<void> => {
  const metadata = (name: string) => ({ name, labels: { 'sac.dev/bench': VOLUME_CLASS } });
  const volumeClass = {
    apiVersion: 'storage.k8s.io/v1',
    kind: 'StorageClass',
    metadata: metadata(VOLUME_CLASS),
    provisioner: 'kubernetes.io/no-provisioner',
    volumeBindingMode: 'Immediate',
  };
  const volumes = Array.from({ length: count }, (_, index) => ({
    apiVersion: 'v1',
    kind: 'PersistentVolume',
    metadata: metadata(`${VOLUME_CLASS}-${index}`),
    spec: {
      storageClassName: VOLUME_CLASS,
      capacity: { storage: '1Gi' },
      accessModes: ['ReadWriteOnce'],
      persistentVolumeReclaimPolicy: 'Retain',
      hostPath: { path: `/nowhere/${index}` },
    },
  }));
  const list = { apiVersion: 'v1', kind: 'List', items: [volumeClass, ...volumes] };
  await run('kubectl', ['create', '--filename', '-'], JSON.stringify(list));
};

export const removeVolumes = (): Promise<unknown> =>
  attempt('kubectl', ['delete', 'storageclass,persistentvolume', '--selector', volumeLabel, '--wait=false']);

/** Settings of an installation whose agents go there. */
export const onFakeNodes = [
  '--set-json',
  'agents.nodeSelector={"sac.dev/fake-node":"true"}',
  '--set-json',
  'agents.tolerations=[{"key":"sac.dev/fake-node","operator":"Exists","effect":"NoSchedule"}]',
  '--set',
  `agents.resources.requests.cpu=1m,agents.resources.requests.memory=1Mi,agents.storage.className=${VOLUME_CLASS}`,
];
