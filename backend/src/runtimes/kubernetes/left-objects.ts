import type { V1PersistentVolumeClaim } from '@kubernetes/client-node';
import type { LeftObjects, SandboxVolume } from '../runtime.ts';
import { pathOf, type ClusterClient } from './cluster-client.ts';
import { deleteOwn } from './ending.ts';
import { ADOPTED_BY, agentUidOf, installIdOf, labelNames, ORPHAN_SINCE } from './objects/identity.ts';
import type { SandboxObjects, SandboxWatch } from './sandbox-objects.ts';

export interface LeftObjectsOptions {
  readonly client: ClusterClient;
  readonly watch: SandboxWatch;
  readonly installId: string;
  /** What is deleted of this agent from now on is not put right. */
  readonly forget: (agentUid: string) => void;
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

interface Markable {
  readonly path: string;
  readonly since: string | null;
}

/** Where it stands since when nobody knows an agent, the first that counts before the others. */
const markable = (objects: SandboxObjects | undefined): Markable[] => {
  if (objects === undefined) return [];
  const { namespace, name, set, service } = objects;
  const places = [
    { object: set, path: pathOf('statefulsets', namespace, name) },
    { object: service, path: pathOf('services', namespace, name) },
  ];
  return places
    .filter(({ object }) => object !== undefined)
    .map(({ object, path }) => ({ path, since: object?.metadata?.annotations?.[ORPHAN_SINCE] ?? null }));
};

export const createLeftObjects = ({ client, watch, installId, forget, signal }: LeftObjectsOptions): LeftObjects => {
  const claimOf = ({ namespace, name }: Pick<SandboxVolume, 'namespace' | 'name'>): V1PersistentVolumeClaim => {
    const found = watch.claims().find(({ metadata }) => metadata?.namespace === namespace && metadata.name === name);
    if (found === undefined) throw new Error(`There is no volume ${namespace}/${name}.`);
    return found;
  };
  const mark = ({ path }: Markable, since: string | null): Promise<unknown> =>
    client.merge(path, { metadata: { annotations: { [ORPHAN_SINCE]: since } } }, signal);
  return {
    volumes: () => watch.claims().map((claim) => volumeOf(claim, installId)),
    agentUids: () =>
      watch
        .all()
        .flatMap(({ agentUid, set, pod, service }) => ((set ?? pod ?? service) === undefined ? [] : [agentUid])),
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
    keep: async (agentUid) => {
      for (const marked of markable(watch.find(agentUid))) if (marked.since !== null) await mark(marked, null);
    },
    retire: async (agentUid, afterMs) => {
      const objects = watch.find(agentUid);
      const [marked] = markable(objects);
      if (objects === undefined || marked === undefined) return 'nothing';
      const { namespace, name } = objects;
      const since = Date.parse(marked.since ?? '');
      if (Number.isNaN(since)) {
        await mark(marked, new Date().toISOString());
        return 'waiting';
      }
      if (Date.now() - since < afterMs) return 'waiting';
      forget(agentUid);
      // What bears the mark goes last: a removal that broke off is taken up again.
      for (const resource of ['secrets', 'services', 'statefulsets'] as const)
        await deleteOwn(client, pathOf(resource, namespace, name), { agentUid, installId }, signal);
      return 'removed';
    },
  };
};
