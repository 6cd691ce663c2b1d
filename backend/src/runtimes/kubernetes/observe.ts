import type { V1Pod } from '@kubernetes/client-node';
import type { ObservedSandbox } from '../runtime.ts';
import { TERMINAL_PORT } from '@sac/contracts';
import { podHostOf } from './names.ts';
import { generationOf, setGenerationOf, specHashOf } from './objects/identity.ts';
import { detailOf, isPulling, problemOf, type Problem } from './problems.ts';
import type { SandboxObjects } from './sandbox-objects.ts';
import { begunMs, createdMs, failedPhases, phasesBeforePod, phasesOfPod, readySinceMs } from './start-phases.ts';

export interface ObserveOptions {
  readonly clusterDomain: string;
  readonly patienceMs: number;
  readonly nowMs: number;
  /** How long this process has seen the pod, or that there is none: the clocks of the cluster may say something else. */
  readonly waitedMs: number;
  /** Since when, by the clock of this process. */
  readonly seenAtMs: number;
}

export interface Observation {
  readonly sandbox: ObservedSandbox;
  /** Look again then: what may pass by itself has become a failure. */
  readonly recheckAfterMs: number | null;
}

const setChangedMs = ({ set }: SandboxObjects): number => {
  const time = set?.metadata?.creationTimestamp;
  return time === undefined ? 0 : new Date(time).getTime();
};

/** When its end was asked for: the cluster tells when its grace is over. */
const endingSinceMs = ({ metadata }: V1Pod): number => {
  const { deletionTimestamp, deletionGracePeriodSeconds = 0 } = metadata ?? {};
  return deletionTimestamp === undefined
    ? 0
    : new Date(deletionTimestamp).getTime() - deletionGracePeriodSeconds * 1_000;
};

const upstreamOf = ({ name, namespace, pod }: SandboxObjects, clusterDomain: string): ObservedSandbox['upstream'] => {
  const fallbackHost = podHostOf(name, namespace, clusterDomain);
  return { kind: 'tcp', host: pod?.status?.podIP ?? fallbackHost, port: TERMINAL_PORT, fallbackHost };
};

/** What a person sees of a start that does not go on. */
const troubled = (start: ObservedSandbox, { failure, isFinal }: Problem, nowMs: number): ObservedSandbox => {
  if (isFinal)
    return { ...start, state: 'failed', since: new Date(nowMs), failure, phases: failedPhases(start.phases) };
  const phases = start.phases.map((phase) => (phase.state === 'active' ? { ...phase, detail: failure.reason } : phase));
  return { ...start, phases };
};

/**
 * The sandbox as the cluster's objects show it; undefined while it sleeps. Nothing is remembered here: another server
 * that looks at the same objects sees the same.
 */
export const observe = (objects: SandboxObjects, options: ObserveOptions): Observation | undefined => {
  const { set, pod } = objects;
  const isEnding = pod?.metadata?.deletionTimestamp !== undefined;
  // A set that was deleted leaves its pod at work until that ends as well.
  const isAsleep = set === undefined ? isEnding || pod === undefined : (set.spec?.replicas ?? 0) === 0;
  if (isAsleep && pod === undefined) return undefined;
  // A pod that ends is not what runs next: that comes from the set.
  const source = pod === undefined || (isEnding && !isAsleep) ? set?.spec?.template : pod;
  // A set that was made long ago says nothing of when its pod went.
  const waitsSinceMs = Math.max(setChangedMs(objects), isEnding ? endingSinceMs(pod) : options.seenAtMs);
  const base: ObservedSandbox = {
    agentUid: objects.agentUid,
    generation: generationOf(source) ?? setGenerationOf(set) ?? 0,
    specHash: specHashOf(source),
    state: 'starting',
    since: new Date(waitsSinceMs),
    phases: phasesBeforePod(waitsSinceMs, null),
    failure: null,
    upstream: null,
  };
  const final = (sandbox: ObservedSandbox): Observation => ({ sandbox, recheckAfterMs: null });
  if (isAsleep) return final({ ...base, state: 'stopping', since: new Date(pod === undefined ? 0 : createdMs(pod)) });
  const hasPod = pod !== undefined && !isEnding;
  const started = hasPod
    ? { ...base, since: new Date(createdMs(pod)), phases: phasesOfPod(pod, detailOf(objects), isPulling(objects, pod)) }
    : base;
  const readyMs = hasPod ? readySinceMs(pod) : null;
  if (hasPod && readyMs !== null)
    return final({
      ...started,
      state: 'running',
      // Of the container, for it does not change when the pod is said to be ready a moment later.
      since: new Date(begunMs(pod, 'agent') ?? readyMs),
      upstream: upstreamOf(objects, options.clusterDomain),
    });
  const found = problemOf(objects, options.waitedMs, options.patienceMs);
  if (found === null) return final(started);
  return {
    sandbox: troubled(started, found, options.nowMs),
    recheckAfterMs: found.isFinal ? null : Math.max(1_000, options.patienceMs - options.waitedMs),
  };
};
