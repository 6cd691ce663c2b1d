import type { V1PersistentVolumeClaim, V1StatefulSet } from '@kubernetes/client-node';
import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from 'pino';
import { pathOf, type ClusterClient, type ClusterObject, type ResourceName } from './cluster-client.ts';
import { ClusterError } from './cluster-error.ts';
import { ForeignObjectError, SupersededError } from './failures.ts';
import { claimNameOf } from './names.ts';
import { agentUidOf, generationOf, installIdOf, isOwnedBy, type Identity } from './objects/identity.ts';
import type { PodParts } from './objects/pod.ts';
import { secretOf } from './objects/secret.ts';
import { serviceOf } from './objects/service.ts';
import { statefulSetOf } from './objects/stateful-set.ts';
import { memoryBytes } from './quantities.ts';

const GONE_DEADLINE_MS = 20_000;
const LOOK_EVERY_MS = 50;

export interface ApplyOptions {
  readonly client: ClusterClient;
  readonly logger: Logger;
  readonly signal: AbortSignal;
}

const words: Readonly<Partial<Record<ResourceName, string>>> = {
  statefulsets: 'StatefulSet',
  services: 'Service',
  secrets: 'Secret',
  persistentvolumeclaims: 'volume claim',
};

/** What has our name must be ours, before anything is written. @throws ForeignObjectError, ClusterError */
const findOwn = async <T extends ClusterObject>(
  { client, signal }: ApplyOptions,
  identity: Identity,
  resource: ResourceName,
  name = identity.name,
): Promise<T | null> => {
  const found = await client.find<T>(pathOf(resource, identity.namespace, name), signal);
  if (found === null || isOwnedBy(found as V1StatefulSet, identity)) return found;
  const owner = { agentUid: agentUidOf(found as V1StatefulSet), installId: installIdOf(found as V1StatefulSet) };
  throw new ForeignObjectError(words[resource] ?? resource, `${identity.namespace}/${name}`, owner);
};

/** A volume only ever grows. That the cluster cannot do it keeps no agent from starting. */
const growClaim = async (
  { client, logger, signal }: ApplyOptions,
  identity: Identity,
  claim: V1PersistentVolumeClaim | null,
  size: string,
): Promise<void> => {
  const now = claim?.spec?.resources?.requests?.['storage'];
  if (now === undefined || memoryBytes('storage', size) <= memoryBytes('storage', now)) return;
  const path = pathOf('persistentvolumeclaims', identity.namespace, claimNameOf(identity.name));
  try {
    await client.merge(path, { spec: { resources: { requests: { storage: size } } } }, signal);
  } catch (err) {
    if (!(err instanceof ClusterError) || err.isTransient) throw err;
    logger.warn({ agentUid: identity.agentUid, from: now, to: size, err }, 'the volume of an agent cannot grow');
  }
};

/** The pod and the volume stay, and the next set takes them over. */
const removeSetAlone = async (
  { client, signal }: ApplyOptions,
  path: string,
  uid: string | undefined,
): Promise<void> => {
  await client.delete(path, { orphans: true, signal, ...(uid !== undefined && { uid }) });
  const deadline = Date.now() + GONE_DEADLINE_MS;
  while ((await client.find<ClusterObject>(path, signal))?.metadata?.uid === uid) {
    if (Date.now() > deadline) throw new Error(`${path} is still there ${GONE_DEADLINE_MS} ms after it was deleted`);
    await delay(LOOK_EVERY_MS, undefined, { signal });
  }
};

const isImmutableChange = (error: unknown): boolean =>
  error instanceof ClusterError && error.status === 422 && error.message.includes('updates to statefulset spec');

/** The few fields of a StatefulSet that cannot change are changed by another set in its place. */
const applySet = async (
  options: ApplyOptions,
  wanted: V1StatefulSet,
  there: V1StatefulSet | null,
): Promise<V1StatefulSet> => {
  const { client, logger, signal } = options;
  const path = pathOf('statefulsets', wanted.metadata?.namespace ?? '', wanted.metadata?.name ?? '');
  try {
    return await client.apply(path, wanted as ClusterObject & V1StatefulSet, { signal });
  } catch (error) {
    if (!isImmutableChange(error)) throw error;
    logger.info({ path }, 'the StatefulSet is made anew, because a field changed that cannot be changed');
    await removeSetAlone(options, path, there?.metadata?.uid);
    return client.apply(path, wanted as ClusterObject & V1StatefulSet, { signal });
  }
};

/**
 * Makes the objects of one sandbox as they should be, whatever they are now. Returns the StatefulSet.
 * @throws ForeignObjectError, SupersededError, ClusterError
 */
export const applySandbox = async (
  options: ApplyOptions,
  identity: Identity,
  parts: PodParts,
): Promise<V1StatefulSet> => {
  const { client, signal } = options;
  const [set, claim] = await Promise.all([
    findOwn<V1StatefulSet & ClusterObject>(options, identity, 'statefulsets'),
    findOwn<V1PersistentVolumeClaim & ClusterObject>(
      options,
      identity,
      'persistentvolumeclaims',
      claimNameOf(identity.name),
    ),
    findOwn(options, identity, 'services'),
    findOwn(options, identity, 'secrets'),
  ]);
  const there = generationOf(set ?? undefined);
  if (there !== null && there > parts.spec.generation) throw new SupersededError(parts.spec.generation, there);
  const place = (resource: ResourceName): string => pathOf(resource, identity.namespace, identity.name);
  await Promise.all([
    client.apply(place('secrets'), secretOf(identity, parts.spec) as ClusterObject, { signal }),
    client.apply(place('services'), serviceOf(identity) as ClusterObject, { signal }),
    growClaim(options, identity, claim, parts.settings.storageSize),
  ]);
  return applySet(options, statefulSetOf(identity, parts), set);
};
