import type { V1PersistentVolumeClaim, V1Service, V1StatefulSet } from '@kubernetes/client-node';
import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from 'pino';
import { pathOf, type ClusterClient, type ClusterObject, type ResourceName } from './cluster-client.ts';
import { ClusterError } from './cluster-error.ts';
import { ForeignObjectError, SupersededError } from './failures.ts';
import { cleanService, cleanSet } from './foreign-edits.ts';
import { claimNameOf } from './names.ts';
import { agentUidOf, installIdOf, isOwnedBy, setGenerationOf, type Identity } from './objects/identity.ts';
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

/** What the API server made of the objects. */
export interface Applied {
  readonly set: V1StatefulSet;
  readonly secretVersion: string | null;
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
  const path = pathOf(resource, identity.namespace, name);
  const isSecret = resource === 'secrets';
  const found = isSecret ? ((await client.findMetadata(path, signal)) as T | null) : await client.find<T>(path, signal);
  if (found === null || isOwnedBy(found, identity)) return found;
  const owner = { agentUid: agentUidOf(found), installId: installIdOf(found) };
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

/** One that cannot be changed into what is wanted, as an immutable Secret, is made anew: nothing else is lost with it. */
const applyOrRemake = async <T extends ClusterObject>(
  { client, logger, signal }: ApplyOptions,
  path: string,
  wanted: T,
  there: ClusterObject | null,
): Promise<T> => {
  const uid = there?.metadata?.uid;
  try {
    return await client.apply(path, wanted, { signal });
  } catch (error) {
    if (!(error instanceof ClusterError) || error.status !== 422 || uid === undefined) throw error;
    logger.warn({ path, err: error }, 'an object is made anew, because it cannot be changed into what is wanted');
    await client.delete(path, { uid, signal });
    return client.apply(path, wanted, { signal });
  }
};

const applyService = async (options: ApplyOptions, identity: Identity, there: ClusterObject | null): Promise<void> => {
  const { client, signal } = options;
  const wanted = serviceOf(identity);
  const path = pathOf('services', identity.namespace, identity.name);
  const made = await applyOrRemake(options, path, wanted as ClusterObject & V1Service, there);
  const change = cleanService(made, wanted);
  if (change !== null) await client.merge(path, change, signal);
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
    const made = await client.apply(path, wanted as ClusterObject & V1StatefulSet, { signal });
    const change = cleanSet(made, wanted);
    return change === null ? made : await client.merge<V1StatefulSet>(path, change, signal);
  } catch (error) {
    if (!isImmutableChange(error)) throw error;
    logger.info({ path }, 'the StatefulSet is made anew, because a field changed that cannot be changed');
    await removeSetAlone(options, path, there?.metadata?.uid);
    return client.apply(path, wanted as ClusterObject & V1StatefulSet, { signal });
  }
};

/**
 * Makes the objects of one sandbox as they should be, whatever they are now.
 * @throws ForeignObjectError, SupersededError, ClusterError
 */
export const applySandbox = async (options: ApplyOptions, identity: Identity, parts: PodParts): Promise<Applied> => {
  const [set, claim, service, secret] = await Promise.all([
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
  const there = setGenerationOf(set ?? undefined);
  if (there !== null && there > parts.spec.generation) throw new SupersededError(parts.spec.generation, there);
  const wantedSecret = secretOf(identity, parts.spec) as ClusterObject;
  const [madeSecret] = await Promise.all([
    applyOrRemake(options, pathOf('secrets', identity.namespace, identity.name), wantedSecret, secret),
    applyService(options, identity, service),
    growClaim(options, identity, claim, parts.settings.storageSize),
  ]);
  const made = await applySet(options, statefulSetOf(identity, parts), set);
  return { set: made, secretVersion: madeSecret.metadata?.resourceVersion ?? null };
};
