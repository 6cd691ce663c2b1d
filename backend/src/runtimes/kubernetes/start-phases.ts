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

const conditionSinceMs = (pod: V1Pod, type: string): number | null => {
  const condition = pod.status?.conditions?.find((each) => each.type === type);
  return condition?.status === 'True' ? timeMs(condition.lastTransitionTime) : null;
};

/** When the pod became ready; null while it is not. */
export const readySinceMs = (pod: V1Pod): number | null => conditionSinceMs(pod, 'Ready');

export const createdMs = (pod: V1Pod): number => timeMs(pod.metadata?.creationTimestamp) ?? 0;

export const statusesOf = (pod: V1Pod): readonly V1ContainerStatus[] => [
  ...(pod.status?.initContainerStatuses ?? []),
  ...(pod.status?.containerStatuses ?? []),
];

interface Step {
  readonly name: StartPhaseName;
  /** When it ended; null when it has not. */
  readonly endMs: number | null;
  /** Better than the difference of two times that the cluster tells in whole seconds. */
  readonly durationMs?: number;
}

const stepsOf = (pod: V1Pod): readonly Step[] => {
  const restore = statusesOf(pod).find(({ name }) => name === 'restore')?.state;
  const begunMs = timeMs(restore?.running?.startedAt ?? restore?.terminated?.startedAt);
  const restoredMs = restore?.terminated?.exitCode === 0 ? timeMs(restore.terminated.finishedAt) : null;
  const message = messageOf(restore);
  const timings = message !== null && 'timings' in message ? message.timings : null;
  return [
    { name: 'scheduling', endMs: conditionSinceMs(pod, 'PodScheduled') },
    { name: 'pulling', endMs: begunMs },
    { name: 'starting', endMs: restoredMs, ...(timings && { durationMs: timings.startingMs }) },
    { name: 'syncing', endMs: restoredMs, ...(timings && { durationMs: timings.syncingMs }) },
    { name: 'ready', endMs: readySinceMs(pod) },
  ];
};

const iso = (ms: number): string => new Date(ms).toISOString();

/**
 * How far the start of a pod has come, from what the cluster says alone: whoever looks, and whenever, sees the same.
 * The cluster's times are whole seconds.
 */
export const phasesOfPod = (pod: V1Pod, detail: string | null): StartPhase[] => {
  const phases: StartPhase[] = [];
  let sinceMs: number | null = createdMs(pod);
  for (const { name, endMs, durationMs } of stepsOf(pod)) {
    const startedAt: string | null = sinceMs === null ? null : iso(sinceMs);
    const phase = { name, startedAt, detail: null, progress: null };
    if (sinceMs === null) phases.push({ ...phase, state: 'pending', durationMs: null });
    else if (endMs === null) phases.push({ ...phase, state: 'active', durationMs: null, detail });
    else phases.push({ ...phase, state: 'done', durationMs: durationMs ?? Math.max(0, endMs - sinceMs) });
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
