import { isDeepStrictEqual } from 'node:util';
import type { AgentFailure } from '@sac/contracts';
import type { ObservedSandbox, SandboxSpec } from '../runtime.ts';
import { observe } from './observe.ts';
import type { SandboxObjects } from './sandbox-objects.ts';
import { failedPhases, phasesBeforePod } from './start-phases.ts';

/** A start that this process carries out, until the cluster shows it. */
export interface Starting {
  readonly kind: 'start';
  readonly spec: SandboxSpec;
  readonly sinceMs: number;
  readonly abort: AbortController;
  isApplied: boolean;
  detail: string | null;
  failure: AgentFailure | null;
}
export type Pending = Starting | { readonly kind: 'stop'; readonly sinceMs: number };

export const isSame = (left: Pick<ObservedSandbox, 'generation' | 'specHash'>, right: typeof left): boolean =>
  left.generation === right.generation && left.specHash === right.specHash;

interface Seen {
  readonly podUid: string | undefined;
  /** On the clock of `performance.now()`. */
  readonly sinceMs: number;
  readonly atMs: number;
}

export interface SandboxViewsOptions {
  readonly find: (agentUid: string) => SandboxObjects | undefined;
  readonly clusterDomain: string;
  /** How long what may pass by itself is no failure. */
  readonly patienceMs: number;
  /** Once for each start that failed. */
  readonly onFailed: (sandbox: ObservedSandbox) => void;
  /** From one state into another; none of them of what was there when this process began to look. */
  readonly onState: (sandbox: ObservedSandbox, before: ObservedSandbox['state']) => void;
}

/** What is seen of each sandbox: what the cluster shows, and before that what this process is about to do. */
export class SandboxViews {
  /** What this process does, until the cluster shows it. */
  readonly pending = new Map<string, Pending>();
  readonly #options: SandboxViewsOptions;
  readonly #views = new Map<string, ObservedSandbox>();
  /** Since when each agent's pod is seen. */
  readonly #seen = new Map<string, Seen>();
  readonly #rechecks = new Map<string, NodeJS.Timeout>();
  readonly #listeners = new Set<(sandbox: ObservedSandbox) => void>();
  #isClosed = false;

  constructor(options: SandboxViewsOptions) {
    this.#options = options;
  }

  get all(): ReadonlyMap<string, ObservedSandbox> {
    return this.#views;
  }

  onChange(listener: (sandbox: ObservedSandbox) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Nobody hears of anything any more. */
  close(): void {
    this.#isClosed = true;
    this.#listeners.clear();
    for (const timer of this.#rechecks.values()) clearTimeout(timer);
  }

  /** Works out anew what is seen of one sandbox, and tells when that is something else than before. */
  refresh(agentUid: string): void {
    if (this.#isClosed) return;
    clearTimeout(this.#rechecks.get(agentUid));
    this.#rechecks.delete(agentUid);
    const before = this.#views.get(agentUid);
    const now = this.#viewOf(agentUid, before);
    if (now === undefined) this.#views.delete(agentUid);
    else this.#views.set(agentUid, now);
    if (isDeepStrictEqual(before, now)) return;
    if (now?.state === 'failed' && before?.state !== 'failed') this.#options.onFailed(now);
    const told: ObservedSandbox | undefined =
      now ?? (before && { ...before, state: 'gone', since: new Date(), upstream: null });
    if (before !== undefined && told !== undefined && told.state !== before.state)
      this.#options.onState(told, before.state);
    if (told !== undefined) for (const listener of this.#listeners) listener(told);
  }

  #viewOf(agentUid: string, before: ObservedSandbox | undefined): ObservedSandbox | undefined {
    const pending = this.pending.get(agentUid);
    const seen = this.#observe(agentUid);
    if (pending?.kind === 'stop') {
      const last = seen ?? before;
      return last && { ...last, state: 'stopping', since: new Date(pending.sinceMs), failure: null, upstream: null };
    }
    if (pending !== undefined) {
      if (!pending.isApplied || seen?.generation !== pending.spec.generation) return this.#startingView(pending, seen);
      this.pending.delete(agentUid);
    }
    // What failed stays so until it runs or something else is wanted: the cluster's own tries say the same in turns.
    const isStillFailed = before?.state === 'failed' && seen !== undefined && isSame(before, seen);
    return isStillFailed && ['starting', 'failed'].includes(seen.state) ? before : seen;
  }

  #observe(agentUid: string): ObservedSandbox | undefined {
    const objects = this.#options.find(agentUid);
    if (objects === undefined) {
      this.#seen.delete(agentUid);
      return undefined;
    }
    const { clusterDomain, patienceMs } = this.#options;
    const { sinceMs, atMs: seenAtMs } = this.#seenOf(agentUid, objects.pod?.metadata?.uid);
    const waitedMs = performance.now() - sinceMs;
    const observation = observe(objects, { clusterDomain, patienceMs, nowMs: Date.now(), waitedMs, seenAtMs });
    if (observation !== undefined && observation.recheckAfterMs !== null) {
      const timer = setTimeout(() => this.refresh(agentUid), observation.recheckAfterMs);
      this.#rechecks.set(agentUid, timer.unref());
    }
    return observation?.sandbox;
  }

  /** While there is no pod, a start is when its absence begins to mean something: before, the agent slept. */
  #seenOf(agentUid: string, podUid: string | undefined): Seen {
    const seen = this.#seen.get(agentUid);
    const startMs = podUid === undefined ? (this.pending.get(agentUid)?.sinceMs ?? 0) : 0;
    if (seen !== undefined && seen.podUid === podUid && startMs <= seen.atMs) return seen;
    const now = { podUid, sinceMs: performance.now(), atMs: startMs || Date.now() };
    this.#seen.set(agentUid, now);
    return now;
  }

  /** `seen`: of the start before; its pod has to go first, which one on a node that is lost does not. */
  #startingView(
    { spec, sinceMs, detail, failure }: Starting,
    seen: Pick<ObservedSandbox, 'failure'> | undefined,
  ): ObservedSandbox {
    const inTheWay = seen?.failure?.code === 'node_unavailable' ? seen.failure.reason : null;
    const phases = phasesBeforePod(sinceMs, detail ?? inTheWay);
    return {
      agentUid: spec.agentUid,
      generation: spec.generation,
      specHash: spec.specHash,
      state: failure === null ? 'starting' : 'failed',
      since: new Date(sinceMs),
      phases: failure === null ? phases : failedPhases(phases),
      failure,
      upstream: null,
    };
  }
}
