import type { V1PersistentVolumeClaim, V1Secret, V1Service, V1StatefulSet } from '@kubernetes/client-node';
import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from 'pino';
import { pathOf, type ClusterClient, type ClusterObject, type ResourceName } from './cluster-client.ts';
import { ClusterError } from './cluster-error.ts';
import { ForeignObjectError, SupersededError } from './failures.ts';
import { cleanService, cleanSet } from './foreign-edits.ts';
import { claimNameOf } from './names.ts';
import {
  agentUidOf,
  generationOf,
  installIdOf,
  isOwnedBy,
  listingLabelsOf,
  setGenerationOf,
  type Identity,
} from './objects/identity.ts';
import type { PodParts } from './objects/pod.ts';
import { secretOf } from './objects/secret.ts';
import { serviceOf } from './objects/service.ts';
import { statefulSetOf } from './objects/stateful-set.ts';
import { memoryBytes } from './quantities.ts';
import type { SandboxObjects } from './sandbox-objects.ts';
import { isServiceAsWanted } from './wanted.ts';

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
  const labels = resource === 'persistentvolumeclaims' ? listingLabelsOf(found, identity) : null;
  const labelling = labels && `kubectl -n ${identity.namespace} label pvc ${name} --overwrite ${labels}`;
  throw new ForeignObjectError(words[resource] ?? resource, `${identity.namespace}/${name}`, owner, labelling);
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

const applyService = async (options: ApplyOptions, identity: Identity, there: V1Service | null): Promise<void> => {
  const { client, signal } = options;
  const wanted = serviceOf(identity);
  if (there !== null && isServiceAsWanted(there, identity)) return;
  const path = pathOf('services', identity.namespace, identity.name);
  const made = await applyOrRemake(options, path, wanted as ClusterObject & V1Service, there as ClusterObject | null);
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

/** What is there before anything is written. */
interface Found {
  readonly set: V1StatefulSet | null;
  readonly claim: V1PersistentVolumeClaim | null;
  readonly service: V1Service | null;
}

const findAll = async (options: ApplyOptions, identity: Identity): Promise<Found> => {
  const claimName = claimNameOf(identity.name);
  const [set, claim, service] = await Promise.all([
    findOwn<V1StatefulSet & ClusterObject>(options, identity, 'statefulsets'),
    findOwn<V1PersistentVolumeClaim & ClusterObject>(options, identity, 'persistentvolumeclaims', claimName),
    findOwn<V1Service & ClusterObject>(options, identity, 'services'),
  ]);
  return { set, claim, service };
};

/** What the watch has of them, when it has all of them where they belong. */
const knownOf = (known: SandboxObjects | undefined, { name, namespace }: Identity): Found | null => {
  const { set, claim, service } = known ?? {};
  if (set === undefined || claim === undefined || service === undefined) return null;
  const isThere = [set, claim, service].every(({ metadata }) => metadata?.deletionTimestamp === undefined);
  return isThere && known?.name === name && known.namespace === namespace ? { set, claim, service } : null;
};

/** Only over the very version that is known. */
const overVersion = (wanted: V1StatefulSet, { set }: Found): V1StatefulSet => {
  const { uid, resourceVersion } = set?.metadata ?? {};
  const version = { ...(uid !== undefined && { uid }), ...(resourceVersion !== undefined && { resourceVersion }) };
  return { ...wanted, metadata: { ...wanted.metadata, ...version } };
};

const applyOver = async (
  options: ApplyOptions,
  identity: Identity,
  parts: PodParts,
  known: Found | null,
): Promise<Applied> => {
  const [{ set, claim, service }, secret] = await Promise.all([
    known ?? findAll(options, identity),
    findOwn<V1Secret & ClusterObject>(options, identity, 'secrets'),
  ]);
  const { generation } = parts.spec;
  const there = setGenerationOf(set ?? undefined) ?? 0;
  if (there > generation) throw new SupersededError(generation, there);
  // Somebody else has begun a later start that the watch has not told of: nothing of it is written over.
  const isBehind = known !== null && (generationOf(secret ?? undefined) ?? 0) > generation;
  if (isBehind) return applyOver(options, identity, parts, null);
  const wantedSecret = secretOf(identity, parts.spec) as ClusterObject;
  const [madeSecret] = await Promise.all([
    applyOrRemake(options, pathOf('secrets', identity.namespace, identity.name), wantedSecret, secret),
    applyService(options, identity, service),
    growClaim(options, identity, claim, parts.settings.storageSize),
  ]);
  const wanted = statefulSetOf(identity, parts);
  const made = await applySet(options, known === null ? wanted : overVersion(wanted, known), set);
  return { set: made, secretVersion: madeSecret.metadata?.resourceVersion ?? null };
};

/**
 * Makes the objects of one sandbox as they should be, whatever they are now. What the watch has of them is not read
 * again; when that turns out to be old, all of it is.
 * @throws ForeignObjectError, SupersededError, ClusterError
 */
export const applySandbox = async (
  options: ApplyOptions,
  identity: Identity,
  parts: PodParts,
  watched?: SandboxObjects,
): Promise<Applied> => {
  const known = knownOf(watched, identity);
  try {
    return await applyOver(options, identity, parts, known);
  } catch (error) {
    if (known === null || !(error instanceof ClusterError) || error.status !== 409) throw error;
    return applyOver(options, identity, parts, null);
  }
};
