import { PodMessage, type StartPhase, type StartPhaseName } from '@sac/contracts';
import type { V1ContainerState, V1ContainerStatus, V1Pod } from '@kubernetes/client-node';
import { Compile } from 'typebox/compile';
import { failActivePhase, pendingPhases } from '../phases.ts';

const checkMessage = Compile(PodMessage);
const MAX_MESSAGE_CHARACTERS = 4_096;

/** What a container said when it ended; null when that is not one of our messages. */
export const messageOf = (state: V1ContainerState | undefined): PodMessage | null => {
  const text = state?.terminated?.message;
  if (text === undefined || text.length > MAX_MESSAGE_CHARACTERS) return null;
  try {
    const value: unknown = JSON.parse(text);
    return checkMessage.Check(value) ? value : null;
  } catch {
    return null;
  }
};

const timeMs = (time: Date | string | undefined): number | null => {
  const ms = time === undefined ? NaN : new Date(time).getTime();
  return Number.isNaN(ms) ? null : ms;
};

const conditionOf = (pod: V1Pod, type: string) => pod.status?.conditions?.find((each) => each.type === type);

const conditionSinceMs = (pod: V1Pod, type: string): number | null => {
  const condition = conditionOf(pod, type);
  return condition?.status === 'True' ? timeMs(condition.lastTransitionTime) : null;
};

const isSidecar = ({ name }: V1ContainerStatus): boolean => name === 'sidecar';

/** When a container first ran, or null: both are pulled before. */
export const begunMs = (pod: V1Pod, container: string): number | null => {
  const state = statusesOf(pod).find(({ name }) => name === container)?.state;
  return timeMs(state?.running?.startedAt ?? state?.terminated?.startedAt);
};

/**
 * Whether the terminal server accepts connections though the pod is not said to be ready yet: a kubelet tells of the startup probe up to
 * a second before. Of a node that does not answer any more the cluster gives no such reason.
 */
const isStarted = (pod: V1Pod): boolean =>
  conditionOf(pod, 'Ready')?.reason === 'ContainersNotReady' &&
  (pod.status?.containerStatuses ?? []).every(({ ready, started, state }) => ready || (started && state?.running));

/** Since when the sandbox can be connected to; null while it cannot. */
export const readySinceMs = (pod: V1Pod): number | null =>
  conditionSinceMs(pod, 'Ready') ?? (isStarted(pod) ? begunMs(pod, 'agent') : null);

export const createdMs = (pod: V1Pod): number => timeMs(pod.metadata?.creationTimestamp) ?? 0;

/** Of the sidecar first, which older pods have among the init containers: the agent's container waits for it, and what is wrong with it is the reason of both. */
export const statusesOf = (pod: V1Pod): readonly V1ContainerStatus[] =>
  [...(pod.status?.initContainerStatuses ?? []), ...(pod.status?.containerStatuses ?? [])].toSorted(
    (left, right) => Number(isSidecar(right)) - Number(isSidecar(left)),
  );

interface Step {
  readonly name: StartPhaseName;
  /** When it ended; null when it has not. */
  readonly endMs: number | null;
}

const stepsOf = (pod: V1Pod, isPulling: boolean): readonly Step[] => [
  { name: 'scheduling', endMs: conditionSinceMs(pod, 'PodScheduled') },
  { name: 'pulling', endMs: isPulling ? null : begunMs(pod, 'sidecar') },
  { name: 'starting', endMs: begunMs(pod, 'agent') },
  { name: 'syncing', endMs: readySinceMs(pod) },
  { name: 'ready', endMs: readySinceMs(pod) },
];

const iso = (ms: number): string => new Date(ms).toISOString();

/**
 * How far the start of a pod has come, from what the cluster says alone: whoever looks, and whenever, sees the same.
 * The cluster's times are whole seconds. `isPulling`: an image is still being fetched, whatever runs already.
 */
export const phasesOfPod = (pod: V1Pod, detail: string | null, isPulling: boolean): StartPhase[] => {
  const phases: StartPhase[] = [];
  let sinceMs: number | null = createdMs(pod);
  for (const { name, endMs } of stepsOf(pod, isPulling)) {
    const startedAt: string | null = sinceMs === null ? null : iso(sinceMs);
    const phase = { name, startedAt, detail: null, progress: null };
    if (sinceMs === null) phases.push({ ...phase, state: 'pending', durationMs: null });
    else if (endMs === null) phases.push({ ...phase, state: 'active', durationMs: null, detail });
    else phases.push({ ...phase, state: 'done', durationMs: Math.max(0, endMs - sinceMs) });
    sinceMs = sinceMs === null ? null : endMs;
  }
  return phases;
};

/** The phases of a start of which the cluster has no pod yet. */
export const phasesBeforePod = (sinceMs: number, detail: string | null): StartPhase[] =>
  pendingPhases().map((phase) =>
    phase.name === 'scheduling' ? { ...phase, state: 'active', startedAt: iso(sinceMs), detail } : phase,
  );

export const failedPhases = (phases: readonly StartPhase[]): StartPhase[] => failActivePhase(phases);
