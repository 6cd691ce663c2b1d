import type { V1Service, V1StatefulSet } from '@kubernetes/client-node';
import type { ClusterObject } from './cluster-client.ts';
import { FIELD_MANAGER } from './objects/identity.ts';

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/**
 * A merge patch after which `there` is as `wanted` and holds nothing else: lists are replaced, and what nobody wants is
 * null. Fields with a default of the API server get that again.
 */
const replacing = (there: unknown, wanted: unknown): unknown => {
  if (!isRecord(wanted)) return wanted;
  const more = isRecord(there) ? Object.keys(there).filter((name) => wanted[name] === undefined) : [];
  const replaced = Object.entries(wanted).map(([name, value]) => [
    name,
    replacing(isRecord(there) ? there[name] : undefined, value),
  ]);
  return Object.fromEntries([...replaced, ...more.map((name) => [name, null])]);
};

/** Somebody else wrote into it. What they added, as another container, stays when we apply only what is ours. */
const isEdited = (object: ClusterObject): boolean =>
  (object.metadata?.managedFields ?? []).some(
    ({ manager, subresource }) => manager !== FIELD_MANAGER && subresource === undefined,
  );

/** The patch that takes other people's additions out of a set; null when there are none. */
export const cleanSet = (there: V1StatefulSet, wanted: V1StatefulSet): unknown => {
  if (!isEdited(there as ClusterObject) || there.spec === undefined || wanted.spec === undefined) return null;
  const { template, replicas, updateStrategy, persistentVolumeClaimRetentionPolicy } = wanted.spec;
  return {
    spec: {
      template: replacing(there.spec.template, template),
      replicas,
      updateStrategy: replacing(there.spec.updateStrategy, updateStrategy),
      persistentVolumeClaimRetentionPolicy,
    },
  };
};

/** The same for a Service; its other fields belong to the cluster. */
export const cleanService = (there: V1Service, wanted: V1Service): unknown => {
  if (!isEdited(there as ClusterObject) || wanted.spec === undefined) return null;
  const { selector, ports } = wanted.spec;
  return { spec: { selector: replacing(there.spec?.selector, selector), ports } };
};
