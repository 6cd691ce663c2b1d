import {
  egressChoices,
  noPodLimits,
  noPodValues,
  parseQuantity,
  podLimitNames,
  PodLimits,
  podValueNames,
  PodValues,
  type EgressChoice,
} from '@sac/contracts';
import { Value } from 'typebox/value';
import type { ClusterConfig } from '../../config/cluster.ts';
import type { SandboxPod } from '../../runtimes/runtime.ts';

/** What the operator decided about sandboxes. */
export type Installation = Pick<ClusterConfig, 'agentImage' | 'pod' | 'limits' | 'images' | 'runtimeClasses'>;

export interface PodLevel {
  readonly values: PodValues;
  readonly limits: PodLimits;
}
/** What administrators decided, for everybody and for one account. */
export interface PodLevels {
  readonly system: PodLevel;
  readonly user: PodLevel;
}

/** Stored values as far as they are ones of today; the rest is as if it had not been said. */
export const readPodValues = (stored: unknown): PodValues => {
  const merged: unknown = { ...noPodValues, ...(stored as object | null) };
  if (Value.Check(PodValues, merged)) return merged;
  const known = podValueNames.filter((name) =>
    Value.Check(PodValues.properties[name], (merged as Record<string, unknown>)[name]),
  );
  return { ...noPodValues, ...Object.fromEntries(known.map((name) => [name, (merged as PodValues)[name]])) };
};

/** The same for limits. */
export const readPodLimits = (stored: unknown): PodLimits => {
  const merged: unknown = { ...noPodLimits, ...(stored as object | null) };
  if (Value.Check(PodLimits, merged)) return merged;
  const known = podLimitNames.filter((name) =>
    Value.Check(PodLimits.properties[name], (merged as Record<string, unknown>)[name]),
  );
  return { ...noPodLimits, ...Object.fromEntries(known.map((name) => [name, (merged as PodLimits)[name]])) };
};

/** What holds where nobody says anything. */
export const installationValues = ({ pod, agentImage }: Installation): PodValues => ({
  cpuRequest: pod.resources.requests['cpu'] ?? null,
  cpuLimit: pod.resources.limits['cpu'] ?? null,
  memoryRequest: pod.resources.requests['memory'] ?? null,
  memoryLimit: pod.resources.limits['memory'] ?? null,
  storageSize: pod.storageSize,
  image: agentImage,
  egress: pod.egress,
  runtimeClass: pod.runtimeClassName === '' ? null : pod.runtimeClassName,
});

/** Each value of the later level, or of the earlier one where that says nothing. */
const over = <T extends PodValues | PodLimits>(below: T, above: T): T => ({
  ...below,
  ...Object.fromEntries(Object.entries(above).filter(([, value]) => value !== null)),
});

export const limitsFor = ({ limits }: Installation, { system, user }: PodLevels): PodLimits =>
  over(over(limits, system.limits), user.limits);

/** What an agent gets that says nothing, before limits. */
export const inheritedValues = (installation: Installation, { system, user }: PodLevels): PodValues =>
  over(over(installationValues(installation), system.values), user.values);

const amount = (text: string): number => parseQuantity(text) ?? 0;
const lesser = (value: string | null, most: string | null): string | null =>
  most !== null && (value === null || amount(value) > amount(most)) ? most : value;
/** Nothing is asked for where nobody asks. */
const within = (request: string | null, limit: string | null): string | null =>
  request === null ? null : lesser(request, limit);

export const isWider = (choice: EgressChoice, other: EgressChoice): boolean =>
  egressChoices.indexOf(choice) < egressChoices.indexOf(other);

const capped = (values: PodValues, limits: PodLimits): PodValues => {
  const cpuLimit = lesser(values.cpuLimit, limits.cpu);
  const memoryLimit = lesser(values.memoryLimit, limits.memory);
  const { egress } = values;
  return {
    ...values,
    cpuLimit,
    cpuRequest: within(values.cpuRequest, cpuLimit),
    memoryLimit,
    memoryRequest: within(values.memoryRequest, memoryLimit),
    storageSize: within(values.storageSize, limits.storage),
    egress: egress !== null && limits.egress !== null && isWider(egress, limits.egress) ? limits.egress : egress,
  };
};

/**
 * What an agent gets: its own values, else its owner's, the system's, the installation's, and never more than the
 * limits of today, whenever the values were chosen. A request follows a limit that is lower.
 */
export const effectiveValues = (installation: Installation, levels: PodLevels, own: PodValues): PodValues =>
  capped(over(inheritedValues(installation, levels), own), limitsFor(installation, levels));

const resourceNames = ['cpuRequest', 'cpuLimit', 'memoryRequest', 'memoryLimit'] as const;

/** Effective values as the runtime takes them: what differs from the installation, null when nothing does. */
export const sandboxPodOf = (installation: Installation, values: PodValues): SandboxPod | null => {
  const base = installationValues(installation);
  const { requests, limits } = installation.pod.resources;
  const { cpuRequest, memoryRequest, cpuLimit, memoryLimit, storageSize, image, egress, runtimeClass } = values;
  const pod: SandboxPod = {
    ...(resourceNames.some((name) => values[name] !== base[name]) && {
      resources: {
        requests: {
          ...requests,
          ...(cpuRequest !== null && { cpu: cpuRequest }),
          ...(memoryRequest !== null && { memory: memoryRequest }),
        },
        limits: {
          ...limits,
          ...(cpuLimit !== null && { cpu: cpuLimit }),
          ...(memoryLimit !== null && { memory: memoryLimit }),
        },
      },
    }),
    ...(storageSize !== null && storageSize !== base.storageSize && { storageSize }),
    ...(image !== null && image !== base.image && { image }),
    ...(egress !== null && egress !== base.egress && { egress }),
    ...(runtimeClass !== null && runtimeClass !== base.runtimeClass && { runtimeClassName: runtimeClass }),
  };
  return Object.keys(pod).length === 0 ? null : pod;
};
