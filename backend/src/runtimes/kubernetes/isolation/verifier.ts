import { randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { V1Pod, V1StatefulSet } from '@kubernetes/client-node';
import type { Logger } from 'pino';
import type { Isolation } from '../../runtime.ts';
import { pathOf, type ClusterClient, type ClusterObject } from '../cluster-client.ts';
import { ClusterError } from '../cluster-error.ts';
import type { PodSettings } from '../settings.ts';
import {
  outcomeOf,
  parseOutcome,
  probeAnnotations,
  probeName,
  probeServiceOf,
  probeSetOf,
  type ProbeOutcome,
  type ProbeParts,
} from './probe.ts';

const LOOK_EVERY_MS = 1_000;
/** An image that has to be fetched first takes its time. */
const RUN_MS = 120_000;
const ROUND_MS = 60_000;
const GOOD_FOR_MS = 24 * 60 * 60_000;
/** What was found wanting is tried again soon: somebody may have mended it. */
const BAD_FOR_MS = 5 * 60_000;

export interface IsolationOptions {
  readonly client: ClusterClient;
  readonly logger: Logger;
  readonly namespaces: readonly string[];
  readonly installId: string;
  readonly image: string;
  readonly imagePullSecrets: readonly string[];
  readonly internalUrl: string;
  readonly pod: PodSettings;
  /** Between two looks at what is known; default one minute. */
  readonly roundMs?: number;
}

/** Of the last attempt, where it found out nothing; and when the result was found that counts until then. */
const attemptAnnotations = { problem: 'sac.dev/probe-problem', found: 'sac.dev/probe-found' };

interface Finding {
  readonly outcome: ProbeOutcome;
  readonly at: Date;
}

const isGood = ({ neighbour, apiServer, gateway }: ProbeOutcome): boolean => !neighbour && !apiServer && gateway;

/** Who reaches nothing at all proves nothing: api-gateway or DNS may be away just now, whatever the policies are. */
const isInconclusive = ({ neighbour, apiServer, gateway }: ProbeOutcome): boolean =>
  !neighbour && !apiServer && !gateway;

const wordsOf = (err: unknown): string => (err instanceof Error ? err.message : String(err)).slice(0, 300);

const timeOf = (text: string | undefined): Date | null => {
  const at = new Date(text ?? '');
  return Number.isNaN(at.getTime()) ? null : at;
};

const POLICY_FIX =
  'An administrator installs a network plugin that enforces NetworkPolicies and the policies of the chart (networkPolicy.enabled), names ranges of pods, Services and the API server that are not private ones (agents.egress.clusterCidrs), or lets everybody run agents all the same (agents.allowUnisolated).';

const unisolated = (namespace: string, { neighbour, apiServer }: ProbeOutcome, internalUrl: string): Isolation => {
  if (neighbour || apiServer) {
    const reached = [...(neighbour ? ['a pod of another agent'] : []), ...(apiServer ? ['the API server'] : [])];
    const reason = `NetworkPolicies are not enforced, not there, or too wide: from the namespace ${namespace} a pod with the widest network of agents reached ${reached.join(' and ')}.`;
    return { isolated: false, reason, fix: POLICY_FIX };
  }
  return {
    isolated: false,
    reason: `Whether NetworkPolicies are enforced cannot be told: in the namespace ${namespace} a pod reaches nothing at all, not even api-gateway at ${internalUrl}.`,
    fix: 'An administrator looks at DNS and at the policies of that namespace; agents could not work there either.',
  };
};

/**
 * Finds out by trying whether the cluster keeps agents apart, in each namespace: now and once a day. What was found is
 * kept at the probe's StatefulSet, so that one replica tries for all and a restart knows at once.
 */
export class IsolationVerifier {
  readonly #options: IsolationOptions;
  readonly #findings = new Map<string, Finding>();
  /** Why a namespace could not be tried. */
  readonly #problems = new Map<string, string>();
  /** Namespaces whose first attempt, by whichever replica, has not ended. */
  readonly #untold: Set<string>;
  readonly #abort = new AbortController();
  #running: Promise<void> | null = null;

  constructor(options: IsolationOptions) {
    this.#options = options;
    this.#untold = new Set(options.namespaces);
  }

  /** What was found before is known then; what was not is found out in the background. */
  async start(): Promise<void> {
    await Promise.all(this.#options.namespaces.map((namespace) => this.#read(namespace).catch(() => undefined)));
    this.#running ??= this.#run();
  }

  /** Until the first attempt has ended nothing speaks against it: what runs since before goes on meanwhile. */
  get isolation(): Isolation {
    const { namespaces, internalUrl } = this.#options;
    for (const namespace of namespaces) {
      const finding = this.#findings.get(namespace);
      if (finding !== undefined && !isGood(finding.outcome)) return unisolated(namespace, finding.outcome, internalUrl);
    }
    const unknown = namespaces.find((namespace) => !this.#findings.has(namespace));
    if (unknown === undefined) return { isolated: true, reason: null, fix: null, detail: this.#detail() };
    if (this.#untold.has(unknown))
      return { isolated: true, reason: null, fix: null, detail: 'Whether they are is being found out right now.' };
    const why = this.#problems.get(unknown) ?? 'the probe has not ended';
    return {
      isolated: false,
      reason: `Whether NetworkPolicies are enforced in the namespace ${unknown} could not be found out: ${why}.`,
      fix: `An administrator looks at the pods ${probeName(this.#options.installId)}-0 and -1 there; it is tried again by itself.`,
    };
  }

  async close(): Promise<void> {
    this.#abort.abort(new Error('closed'));
    await this.#running;
  }

  #detail(): string {
    const oldest = Math.min(...[...this.#findings.values()].map(({ at }) => at.getTime()));
    const late = [...this.#problems.values()][0];
    const verified = `A pod with the widest network of agents reached neither another one nor the API server, tried ${new Date(oldest).toISOString()}.`;
    return late === undefined ? verified : `${verified} It could not be tried again: ${late}.`;
  }

  async #run(): Promise<void> {
    const { signal } = this.#abort;
    const { namespaces, logger, roundMs = ROUND_MS } = this.#options;
    while (!signal.aborted) {
      for (const namespace of namespaces) {
        try {
          const turn = await this.#turnIn(namespace);
          const goesOn = turn === 'theirs' || (turn === 'ours' && !(await this.#probe(namespace)));
          if (!goesOn) this.#untold.delete(namespace);
        } catch (err) {
          if (signal.aborted) return;
          this.#problems.set(namespace, wordsOf(err));
          this.#untold.delete(namespace);
          logger.warn({ namespace, err }, 'isolation of sandboxes could not be verified; trying again');
        }
      }
      const pauseMs = this.#untold.size > 0 ? LOOK_EVERY_MS : roundMs / 2 + Math.random() * roundMs;
      await delay(pauseMs, undefined, { signal }).catch(() => undefined);
    }
  }

  #pathOf(resource: 'statefulsets' | 'services' | 'pods', namespace: string, suffix = ''): string {
    return pathOf(resource, namespace, `${probeName(this.#options.installId)}${suffix}`);
  }

  /** Takes over what any replica has found. */
  async #read(namespace: string): Promise<V1StatefulSet | null> {
    const path = this.#pathOf('statefulsets', namespace);
    const set = await this.#options.client.find<V1StatefulSet>(path, this.#abort.signal);
    const annotations = set?.metadata?.annotations ?? {};
    const outcome = parseOutcome(annotations[probeAnnotations.result]);
    const at = timeOf(annotations[attemptAnnotations.found]) ?? timeOf(annotations[probeAnnotations.since]);
    if (outcome !== null && at !== null) this.#findings.set(namespace, { outcome, at });
    const problem = annotations[attemptAnnotations.problem];
    if (problem === undefined) this.#problems.delete(namespace);
    else this.#problems.set(namespace, problem);
    return set;
  }

  /** Whose turn it is to try: ours where nobody has of late, theirs where another replica does right now. */
  async #turnIn(namespace: string): Promise<'ours' | 'theirs' | 'nobodys'> {
    const set = await this.#read(namespace);
    const since = timeOf(set?.metadata?.annotations?.[probeAnnotations.since]);
    if (since === null) return 'ours';
    // Clocks of replicas may differ by minutes, to both sides.
    const ageMs = Math.abs(Date.now() - since.getTime());
    if ((set?.spec?.replicas ?? 0) > 0) return ageMs > RUN_MS + ROUND_MS ? 'ours' : 'theirs';
    const outcome = parseOutcome(set?.metadata?.annotations?.[probeAnnotations.result]);
    const isSettled = outcome !== null && isGood(outcome) && !this.#problems.has(namespace);
    return ageMs > (isSettled ? GOOD_FOR_MS : BAD_FOR_MS) ? 'ours' : 'nobodys';
  }

  /** @returns false where another replica began at the same moment and its attempt replaced ours */
  async #probe(namespace: string): Promise<boolean> {
    const { client, logger } = this.#options;
    const signal = AbortSignal.any([this.#abort.signal, AbortSignal.timeout(RUN_MS)]);
    const { pod: settings, installId, image, imagePullSecrets, internalUrl } = this.#options;
    const run = randomBytes(8).toString('hex');
    const parts: ProbeParts = { namespace, installId, image, imagePullSecrets, internalUrl, settings, run };
    const path = this.#pathOf('statefulsets', namespace);
    const since = new Date().toISOString();
    const set = probeSetOf(parts);
    const begun = { ...set, metadata: { ...set.metadata, annotations: { [probeAnnotations.since]: since } } };
    await client.apply(this.#pathOf('services', namespace), probeServiceOf(parts) as ClusterObject, { signal });
    await client.apply(path, begun as ClusterObject, { signal });
    let isOurs = true;
    try {
      const outcome = await this.#waitForOutcome(namespace, run, signal);
      isOurs = outcome !== null;
      if (outcome === null) return false;
      await this.#keep(namespace, outcome, { since, signal });
      logger.info({ namespace, ...outcome }, 'isolation of sandboxes was tried');
      return true;
    } catch (err) {
      const annotations = { [attemptAnnotations.problem]: wordsOf(err) };
      await client.merge(path, { metadata: { annotations } }).catch(() => undefined);
      throw err;
    } finally {
      // Also when the server ends meanwhile, so with a deadline of its own; what stays is ended by the next attempt.
      if (isOurs)
        await client.merge(path, { spec: { replicas: 0 } }).catch((err: unknown) => {
          logger.warn({ namespace, err }, 'the probe could not be ended');
        });
    }
  }

  /** @throws when nothing was found out: a good result before it counts on, and it is tried again soon */
  async #keep(
    namespace: string,
    outcome: ProbeOutcome,
    { since, signal }: { readonly since: string; readonly signal: AbortSignal },
  ): Promise<void> {
    const before = this.#findings.get(namespace);
    if (isInconclusive(outcome) && before !== undefined && isGood(before.outcome))
      throw new Error(`a pod reached nothing at all, not even api-gateway at ${this.#options.internalUrl}`);
    const annotations = {
      [probeAnnotations.since]: since,
      [probeAnnotations.result]: JSON.stringify(outcome),
      [attemptAnnotations.found]: since,
      [attemptAnnotations.problem]: null,
    };
    await this.#options.client.merge(this.#pathOf('statefulsets', namespace), { metadata: { annotations } }, signal);
    this.#findings.set(namespace, { outcome, at: new Date(since) });
    this.#problems.delete(namespace);
  }

  /** @returns null once the pods are those of another replica's attempt */
  async #waitForOutcome(namespace: string, run: string, signal: AbortSignal): Promise<ProbeOutcome | null> {
    let seen: readonly (V1Pod | null)[] = [];
    while (!signal.aborted) {
      try {
        const [listener = null, prober = null] = await Promise.all(
          ['-0', '-1'].map((suffix) =>
            this.#options.client.find<V1Pod>(this.#pathOf('pods', namespace, suffix), signal),
          ),
        );
        seen = [listener, prober];
        const outcome = outcomeOf(listener, prober, run);
        if (outcome !== null) return outcome;
        const path = this.#pathOf('statefulsets', namespace);
        const set = await this.#options.client.find<V1StatefulSet>(path, signal);
        if (set?.spec?.template.metadata?.annotations?.[probeAnnotations.run] !== run) return null;
      } catch (error) {
        if (!(error instanceof ClusterError) || !error.isTransient) throw error;
      }
      await delay(LOOK_EVERY_MS, undefined, { signal }).catch(() => undefined);
    }
    throw new Error(`the probe did not end within ${RUN_MS / 1_000} s (${seen.map(stateOf).join(', ')})`);
  }
}

const stateOf = (pod: V1Pod | null): string => {
  if (pod === null) return 'no pod';
  const waiting = pod.status?.containerStatuses?.[0]?.state?.waiting;
  const scheduled = pod.status?.conditions?.find(({ type, status }) => type === 'PodScheduled' && status === 'False');
  return waiting?.reason ?? scheduled?.message ?? pod.status?.phase ?? 'unknown';
};
