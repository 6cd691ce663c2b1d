import { pathOf, type ClusterClient } from './cluster-client.ts';
import { ClusterError } from './cluster-error.ts';
import { claimNameOf } from './names.ts';
import { isOwnedBy } from './objects/identity.ts';
import type { SandboxWatch } from './sandbox-objects.ts';

/** The kubelet does not end a pod politely in less. */
const MIN_GRACE_SECONDS = 1;
/** How long an end may take beyond its grace before it is reported as not reached. */
const END_MARGIN_MS = 45_000;

interface Owner {
  readonly agentUid: string;
  readonly installId: string;
}

/** Deletes what has that name, when it is this agent's: a name alone says nothing. @throws ClusterError */
export const deleteOwn = async (
  client: ClusterClient,
  path: string,
  owner: Owner,
  signal: AbortSignal,
): Promise<void> => {
  const found = await client.findMetadata(path, signal);
  const uid = found?.metadata?.uid;
  if (found === null || uid === undefined || !isOwnedBy(found, owner)) return;
  await client.delete(path, { signal, uid });
};

export interface EndOptions {
  readonly installId: string;
  readonly client: ClusterClient;
  readonly watch: SandboxWatch;
  readonly signal: AbortSignal;
}

const scaleToNothing = async (
  client: ClusterClient,
  path: string,
  uid: string | undefined,
  signal: AbortSignal,
): Promise<void> => {
  try {
    await client.merge(path, { metadata: { uid }, spec: { replicas: 0 } }, signal);
  } catch (error) {
    if (!(error instanceof ClusterError) || !error.isNotFound) throw error;
  }
};

/** Puts a sandbox to sleep; resolves when its pod is gone. @throws ClusterError, TimeoutError when it does not go */
export const endSandbox = async (options: EndOptions, agentUid: string, graceMs: number): Promise<void> => {
  const { client, watch } = options;
  const signal = AbortSignal.any([AbortSignal.timeout(graceMs + END_MARGIN_MS), options.signal]);
  const objects = watch.find(agentUid);
  if (objects === undefined) return;
  const { namespace, name, set } = objects;
  if (set !== undefined && set.spec?.replicas !== 0)
    await scaleToNothing(client, pathOf('statefulsets', namespace, name), set.metadata?.uid, signal);
  const pod = watch.find(agentUid)?.pod;
  if (pod !== undefined) {
    const uid = pod.metadata?.uid;
    await client.delete(pathOf('pods', namespace, pod.metadata?.name ?? ''), {
      graceSeconds: Math.max(MIN_GRACE_SECONDS, Math.ceil(graceMs / 1_000)),
      signal,
      ...(uid !== undefined && { uid }),
    });
  }
  await watch.until(agentUid, signal, (now) => now?.pod === undefined && (now?.set?.spec?.replicas ?? 0) === 0);
};

/**
 * Deletes everything of a sandbox that sleeps. The volume goes last: while it is there the agent is known, and a
 * removal that broke off is taken up again. @throws ClusterError, TimeoutError
 */
export const removeSandbox = async (options: EndOptions, agentUid: string): Promise<void> => {
  const { client, watch } = options;
  const objects = watch.find(agentUid);
  if (objects === undefined) return;
  const { namespace, name } = objects;
  const signal = AbortSignal.any([AbortSignal.timeout(END_MARGIN_MS), options.signal]);
  const owner = { agentUid, installId: options.installId };
  for (const resource of ['statefulsets', 'services', 'secrets'] as const)
    await deleteOwn(client, pathOf(resource, namespace, name), owner, signal);
  await deleteOwn(client, pathOf('persistentvolumeclaims', namespace, claimNameOf(name)), owner, signal);
  await watch.until(agentUid, signal, (now) => now === undefined);
};
