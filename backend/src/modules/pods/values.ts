import {
  egressChoices,
  noPodLimits,
  noPodValues,
  parseQuantity,
  PodLimits,
  PodValues,
  type EgressChoice,
} from '@sac/contracts';
import type { TObject } from 'typebox';
import { Compile } from 'typebox/compile';
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

/**
 * Reads what was stored as far as it is valid today; the rest is as if it had not been said. Compiled: every row of
 * a list of agents is read with it five times.
 */
const reader = <T extends PodValues | PodLimits>(schema: TObject, none: T): ((stored: unknown) => T) => {
  const whole = Compile(schema);
  const parts = Object.entries(schema.properties).map(([name, part]) => [name, Compile(part)] as const);
  return (stored) => {
    const merged: Record<string, unknown> = { ...none, ...(stored as object | null) };
    if (whole.Check(merged)) return merged as T;
    const known = parts.filter(([name, part]) => part.Check(merged[name]));
    return { ...none, ...Object.fromEntries(known.map(([name]) => [name, merged[name]])) };
  };
};
export const readPodValues = reader<PodValues>(PodValues, noPodValues);
export const readPodLimits = reader<PodLimits>(PodLimits, noPodLimits);

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
