import { isDeepStrictEqual } from 'node:util';
import type { V1Service } from '@kubernetes/client-node';
import type { Identity } from './objects/identity.ts';
import type { PodParts } from './objects/pod.ts';
import { serviceOf } from './objects/service.ts';
import { statefulSetOf } from './objects/stateful-set.ts';
import type { SandboxObjects } from './sandbox-objects.ts';

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/**
 * Whether everything that is wanted stands in what is there; the API server adds defaults of its own. Amounts are
 * compared as they were written: one that the server writes in another way looks like a difference, which costs one
 * needless apply.
 */
export const holds = (there: unknown, wanted: unknown): boolean => {
  if (Array.isArray(wanted))
    return (
      Array.isArray(there) &&
      there.length === wanted.length &&
      wanted.every((each: unknown, index) => holds(there[index], each))
    );
  if (isRecord(wanted))
    return isRecord(there) && Object.entries(wanted).every(([name, value]) => holds(there[name], value));
  // The API server leaves out what is false.
  return wanted === undefined || (wanted === false && there === undefined) || isDeepStrictEqual(there, wanted);
};

/** Whether the objects of a sandbox are as they were made. Its Secret is not read. */
export const isAsWanted = (objects: SandboxObjects, identity: Identity, parts: PodParts): boolean =>
  isMarkedAsWanted(objects, identity, parts) && holds(objects.set?.spec, statefulSetOf(identity, parts).spec);

/** The same without what a StatefulSet makes: of that its generation tells whether it was changed. */
export const isMarkedAsWanted = ({ set, service }: SandboxObjects, identity: Identity, parts: PodParts): boolean => {
  const { labels, annotations } = statefulSetOf(identity, parts).metadata ?? {};
  return (
    isServiceAsWanted(service, identity) &&
    holds(set?.metadata?.labels, labels) &&
    holds(set?.metadata?.annotations, annotations)
  );
};

/** Nothing is missing, and nobody added anything that matters. */
export const isServiceAsWanted = (service: V1Service | undefined, identity: Identity): boolean => {
  const { spec, metadata } = serviceOf(identity);
  return (
    holds(service?.spec, spec) &&
    isDeepStrictEqual(service?.spec?.selector, spec?.selector) &&
    holds(service?.metadata?.labels, metadata?.labels)
  );
};
