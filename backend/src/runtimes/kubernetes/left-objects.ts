import type { V1PersistentVolumeClaim } from '@kubernetes/client-node';
import type { LeftObjects, SandboxVolume } from '../runtime.ts';
import { pathOf, type ClusterClient } from './cluster-client.ts';
import { ADOPTED_BY, agentUidOf, installIdOf, labelNames, ORPHAN_SINCE } from './objects/identity.ts';
import type { SandboxWatch } from './sandbox-objects.ts';

export interface LeftObjectsOptions {
  readonly client: ClusterClient;
  readonly watch: SandboxWatch;
  readonly installId: string;
  readonly signal: AbortSignal;
}

const volumeOf = (claim: V1PersistentVolumeClaim, installId: string): SandboxVolume => {
  const { namespace = '', name = '', labels = {}, creationTimestamp } = claim.metadata ?? {};
  return {
    namespace,
    name,
    agentUid: agentUidOf(claim),
    agentId: labels[labelNames.agentId] ?? null,
    userId: labels[labelNames.userId] ?? null,
    isOwn: installIdOf(claim) === installId,
    size: claim.status?.capacity?.['storage'] ?? claim.spec?.resources?.requests?.['storage'] ?? '',
    createdAt: new Date(creationTimestamp ?? 0),
  };
};

export const createLeftObjects = ({ client, watch, installId, signal }: LeftObjectsOptions): LeftObjects => {
  const claimOf = ({ namespace, name }: Pick<SandboxVolume, 'namespace' | 'name'>): V1PersistentVolumeClaim => {
    const found = watch.claims().find(({ metadata }) => metadata?.namespace === namespace && metadata.name === name);
    if (found === undefined) throw new Error(`There is no volume ${namespace}/${name}.`);
    return found;
  };
  return {
    volumes: () => watch.claims().map((claim) => volumeOf(claim, installId)),
    agentUids: () => watch.all().map(({ agentUid }) => agentUid),
    adopt: async (volume, agentUid) => {
      const { uid } = claimOf(volume).metadata ?? {};
      const labels = { [labelNames.agentUid]: agentUid, [labelNames.installId]: installId };
      const path = pathOf('persistentvolumeclaims', volume.namespace, volume.name);
      await client.merge(path, { metadata: { uid, labels, annotations: { [ADOPTED_BY]: agentUid } } }, signal);
    },
    deleteVolume: async (volume) => {
      const { uid } = claimOf(volume).metadata ?? {};
      const path = pathOf('persistentvolumeclaims', volume.namespace, volume.name);
      await client.delete(path, { signal, ...(uid !== undefined && { uid }) });
    },
    retire: async (agentUid, afterMs) => {
      const objects = watch.find(agentUid);
      const marked = objects?.set ?? objects?.service;
      if (objects === undefined || marked === undefined) return 'nothing';
      const { namespace, name } = objects;
      const since = Date.parse(marked.metadata?.annotations?.[ORPHAN_SINCE] ?? '');
      if (Number.isNaN(since)) {
        const annotations = { [ORPHAN_SINCE]: new Date().toISOString() };
        const path = pathOf(objects.set === undefined ? 'services' : 'statefulsets', namespace, name);
        await client.merge(path, { metadata: { annotations } }, signal);
        return 'waiting';
      }
      if (Date.now() - since < afterMs) return 'waiting';
      for (const resource of ['statefulsets', 'services', 'secrets'] as const)
        await client.delete(pathOf(resource, namespace, name), { signal });
      return 'removed';
    },
  };
};
