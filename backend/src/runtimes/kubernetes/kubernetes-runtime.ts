import { setTimeout as delay } from 'node:timers/promises';
import type { V1Pod } from '@kubernetes/client-node';
import type { SandboxUsage } from '@sac/contracts';
import { backoffMs } from '../../lib/backoff.ts';
import { AgentQueues } from '../agent-queues.ts';
import type { Isolation, LeftObjects, ObservedSandbox, Runtime, SandboxSpec } from '../runtime.ts';
import { AbsentPods } from './absent-pods.ts';
import { applySandbox } from './apply.ts';
import { ClusterClient, pathOf } from './cluster-client.ts';
import { ClusterError } from './cluster-error.ts';
import { endSandbox, removeSandbox } from './ending.ts';
import { failureOfError, SupersededError } from './failures.ts';
import { IsolationVerifier } from './isolation/verifier.ts';
import { createLeftObjects } from './left-objects.ts';
import { checkAgentUid, objectName, shardOf } from './names.ts';
import { generationOf, setGenerationOf, type Identity } from './objects/identity.ts';
import type { PodParts } from './objects/pod.ts';
import { PodNudges } from './pod-nudges.ts';
import { PodUsage } from './pod-usage.ts';
import { Pacer } from './pacer.ts';
import { Repairs } from './repairs.ts';
import { SandboxWatch } from './sandbox-objects.ts';
import { checkOptions, podSettingsOf, type KubernetesRuntimeOptions } from './settings.ts';
import { isSame, SandboxViews, type Starting } from './sandbox-views.ts';

const START_DEADLINE_MS = 60_000;
const CREATES_PER_SECOND = 20;
const PATIENCE_MS = 60_000;
const REPLACE_GRACE_SECONDS = 5;
/** Far longer than a watch needs to tell what was written. */
const SEEN_TIMEOUT_MS = 30_000;
const RETRY = { firstMs: 500, maxMs: 15_000 };
const SILENT_CLUSTER = 'The cluster does not answer; trying again';

/** Sandboxes as StatefulSets of a cluster. */
class KubernetesRuntime implements Runtime {
  readonly kind = 'kubernetes';
  readonly left: LeftObjects;
  readonly #options: KubernetesRuntimeOptions;
  readonly #client: ClusterClient;
  readonly #watch: SandboxWatch;
  readonly #queues: AgentQueues;
  readonly #pacer = new Pacer(CREATES_PER_SECOND);
  readonly #abort = new AbortController();
  readonly #repairs: Repairs;
  readonly #absent: AbsentPods;
  readonly #nudges: PodNudges;
  readonly #usage: PodUsage;
  readonly #isolation: IsolationVerifier | null;
  readonly #views: SandboxViews;

  constructor(options: KubernetesRuntimeOptions) {
    checkOptions(options);
    this.#options = options;
    this.#client = new ClusterClient(options.kubeConfig);
    this.#queues = new AgentQueues(options.logger);
    const { clusterDomain, patienceMs = PATIENCE_MS } = options;
    const placeOf = (agentUid: string): string | undefined => {
      const { namespace, name } = this.#watch.find(agentUid) ?? {};
      return name && `${namespace}/${name}`;
    };
    this.#views = new SandboxViews({
      find: (agentUid) => {
        const objects = this.#watch.find(agentUid);
        return objects && { ...objects, isNameTaken: this.#absent.isNameTaken(agentUid) };
      },
      clusterDomain,
      patienceMs,
      onFailed: ({ agentUid, generation, failure }) =>
        options.logger.warn({ agentUid, generation, code: failure?.code, reason: failure?.reason }, 'sandbox failed'),
      onState: ({ agentUid, generation, state }, before) =>
        options.logger.info({ agentUid, generation, sandbox: placeOf(agentUid), before, state }, 'sandbox changed'),
    });
    this.#watch = new SandboxWatch({
      ...options,
      client: this.#client,
      onChange: (agentUid) => this.#changed(agentUid),
    });
    this.#client.metrics.show({
      staleSeconds: () => (Date.now() - (this.stale()?.since.getTime() ?? Date.now())) / 1_000,
      sandboxes: () => this.#views.all.values(),
      isIsolated: () => this.isolation().isolated,
    });
    this.left = createLeftObjects({
      ...options,
      client: this.#client,
      watch: this.#watch,
      forget: (agentUid) => this.#repairs.forget(agentUid),
      signal: this.#abort.signal,
    });
    this.#isolation =
      options.verifiesIsolation === false
        ? null
        : new IsolationVerifier({
            ...options,
            client: this.#client,
            pod: { ...options.pod, egress: options.widestEgress },
          });
    this.#absent = new AbsentPods({
      ...options,
      client: this.#client,
      signal: this.#abort.signal,
      find: (agentUid) => this.#watch.find(agentUid),
      onChange: (agentUid) => this.#views.refresh(agentUid),
    });
    this.#nudges = new PodNudges({ client: this.#client, logger: options.logger, signal: this.#abort.signal });
    this.#usage = new PodUsage(this.#client, options.logger, this.#abort.signal);
    this.#repairs = new Repairs({
      ...options,
      client: this.#client,
      signal: this.#abort.signal,
      find: (agentUid) => this.#watch.find(agentUid),
      isBusy: (agentUid) => this.#views.pending.has(agentUid),
      inBackground: (agentUid, work) => this.#inBackground(agentUid, work),
      apply: (identity, parts) => applySandbox(this.#applyOptions(this.#abort.signal), identity, parts),
    });
  }

  isolation(): Isolation {
    return this.#isolation?.isolation ?? { isolated: true, reason: null, fix: null };
  }

  observed(): ReadonlyMap<string, ObservedSandbox> {
    return this.#views.all;
  }

  onChange(listener: (sandbox: ObservedSandbox) => void): () => void {
    return this.#views.onChange(listener);
  }

  stale(): { readonly since: Date; readonly reason: string } | null {
    return this.#watch.stale;
  }

  lastGeneration(agentUid: string): number {
    return setGenerationOf(this.#watch.find(agentUid)?.set) ?? 0;
  }

  async usage(agentUid: string): Promise<SandboxUsage | null> {
    const pod = this.#views.all.get(agentUid)?.state === 'running' ? this.#watch.find(agentUid)?.pod : undefined;
    return pod === undefined ? null : this.#usage.find(pod);
  }

  metrics(): Promise<string> {
    return this.#client.metrics.text();
  }

  async start(): Promise<void> {
    const beganMs = performance.now();
    const timer = new AbortController();
    const late = delay(START_DEADLINE_MS, undefined, { signal: timer.signal }).then(() => {
      const reason = this.#watch.stale?.reason ?? 'it does not answer';
      throw new Error(`The cluster could not be read within ${START_DEADLINE_MS / 1_000} s: ${reason}`);
    });
    try {
      await Promise.race([this.#watch.start(), late]);
    } finally {
      timer.abort();
      late.catch(() => undefined);
    }
    const readMs = Math.round(performance.now() - beganMs);
    await this.#isolation?.start();
    for (const { agentUid } of this.#watch.all()) {
      this.#absent.look(agentUid);
      this.#views.refresh(agentUid);
    }
    this.#options.logger.info({ readMs, sandboxes: this.#watch.all().length }, 'the cluster was read');
  }

  async ensure(spec: SandboxSpec): Promise<void> {
    checkAgentUid(spec.agentUid);
    const identity = this.#identityOf(spec);
    const parts = this.#partsOf(spec);
    const view = this.#views.all.get(spec.agentUid);
    if (view !== undefined && view.state !== 'stopping' && isSame(view, spec))
      return this.#repairs.confirm(identity, parts);
    this.#abandon(spec.agentUid);
    const starting: Starting = {
      kind: 'start',
      spec,
      sinceMs: Date.now(),
      abort: new AbortController(),
      isApplied: false,
      detail: null,
      failure: null,
    };
    this.#views.pending.set(spec.agentUid, starting);
    this.#views.refresh(spec.agentUid);
    this.#inBackground(spec.agentUid, () => this.#bring(starting, identity, parts));
  }

  async stop(agentUid: string, { graceMs }: { readonly graceMs: number }): Promise<void> {
    this.#abandon(agentUid);
    this.#repairs.forget(agentUid);
    if (this.#views.all.has(agentUid)) {
      this.#views.pending.set(agentUid, { kind: 'stop', sinceMs: Date.now() });
      this.#views.refresh(agentUid);
    }
    try {
      await this.#queues.add(agentUid, () => endSandbox(this.#endOptions(), agentUid, graceMs));
    } finally {
      if (this.#views.pending.get(agentUid)?.kind === 'stop') this.#views.pending.delete(agentUid);
      this.#views.refresh(agentUid);
    }
  }

  async remove(agentUid: string): Promise<void> {
    await this.stop(agentUid, { graceMs: 0 });
    await this.#queues.add(agentUid, async () => {
      if (!this.#views.pending.has(agentUid)) await removeSandbox(this.#endOptions(), agentUid);
    });
  }

  async close(): Promise<void> {
    this.#views.close();
    this.#repairs.close();
    this.#absent.close();
    this.#abort.abort(new Error('the server is shutting down'));
    for (const pending of this.#views.pending.values())
      if (pending.kind === 'start') pending.abort.abort(this.#abort.signal.reason);
    await this.#queues.settled();
    await this.#isolation?.close();
    await this.#watch.close();
    await this.#client.close();
  }

  /** A start that goes on for another wish is given up; what it made is met by what comes next. */
  #abandon(agentUid: string): void {
    const pending = this.#views.pending.get(agentUid);
    if (pending?.kind !== 'start') return;
    pending.abort.abort(new Error('another start or a stop takes its place'));
    this.#views.pending.delete(agentUid);
  }

  #inBackground(agentUid: string, work: () => Promise<void>): void {
    this.#queues.add(agentUid, work).catch(() => undefined);
  }

  #identityOf(spec: SandboxSpec): Identity {
    const { userId, agentId, agentUid } = spec;
    const { installId, namespaces, version } = this.#options;
    const name = objectName(spec);
    const namespace = this.#watch.find(agentUid)?.namespace ?? shardOf(agentId, namespaces);
    return { name, namespace, userId, agentId, agentUid, installId, version };
  }

  #partsOf(spec: SandboxSpec): PodParts {
    const { image, imagePullSecrets, internalUrl, pod } = this.#options;
    return { spec, image, imagePullSecrets, internalUrl, settings: podSettingsOf({ ...pod, image }, spec) };
  }

  #endOptions() {
    const { installId } = this.#options;
    return { client: this.#client, watch: this.#watch, installId, signal: this.#abort.signal };
  }

  #applyOptions(signal: AbortSignal) {
    return { client: this.#client, logger: this.#options.logger, signal };
  }

  /** From the wish to the objects, and to the pod of this start in place of an older one. */
  async #bring(starting: Starting, identity: Identity, parts: PodParts): Promise<void> {
    const { agentUid, generation } = starting.spec;
    const { signal } = starting.abort;
    for (let failures = 0; !signal.aborted; failures += 1) {
      try {
        await this.#pacer.turn(signal);
        this.#watch.forgetEvents(agentUid);
        const known = this.#watch.find(agentUid);
        const applied = await applySandbox(this.#applyOptions(signal), identity, parts, known);
        this.#repairs.made(identity, parts, applied);
        await this.#untilSeen(starting);
        this.#watch.forgetEvents(agentUid);
        await this.#replacePod(starting);
        starting.isApplied = true;
        const { namespace, name } = identity;
        this.#options.logger.info({ agentUid, generation, sandbox: `${namespace}/${name}` }, 'sandbox started');
        return this.#views.refresh(agentUid);
      } catch (error) {
        if (signal.aborted) return;
        if (error instanceof SupersededError) return this.#giveWay(starting, error);
        if (!(error instanceof ClusterError) || !error.isTransient) return this.#failed(starting, error);
        starting.detail = SILENT_CLUSTER;
        this.#views.refresh(agentUid);
        await this.#pause(error, failures, signal);
      }
    }
  }

  /**
   * Until the watch shows what was applied, or what another server applied after it. It may also have been deleted at
   * once, or the watch hears nothing: then everything is applied again.
   * @throws SupersededError, ClusterError
   */
  async #untilSeen({ spec: { agentUid, generation }, abort: { signal } }: Starting): Promise<void> {
    const seen = (): number => setGenerationOf(this.#watch.find(agentUid)?.set) ?? 0;
    const bound = AbortSignal.any([signal, AbortSignal.timeout(SEEN_TIMEOUT_MS)]);
    try {
      await this.#watch.until(agentUid, bound, () => seen() >= generation);
    } catch (error) {
      if (signal.aborted) throw error;
      throw ClusterError.unanswered({ method: 'WATCH', path: 'statefulsets' }, error);
    }
    if (seen() > generation) throw new SupersededError(generation, seen());
  }

  #giveWay(starting: Starting, error: SupersededError): void {
    const { agentUid } = starting.spec;
    this.#options.logger.warn({ agentUid, reason: error.message }, 'start given up');
    if (this.#views.pending.get(agentUid) === starting) this.#views.pending.delete(agentUid);
    this.#views.refresh(agentUid);
  }

  #failed(starting: Starting, error: unknown): void {
    const { agentUid, generation } = starting.spec;
    starting.failure = failureOfError(error);
    this.#options.logger.warn({ agentUid, generation, code: starting.failure.code, err: error }, 'a start was refused');
    this.#views.refresh(agentUid);
  }

  async #pause(error: ClusterError, failures: number, signal: AbortSignal): Promise<void> {
    await delay(error.retryAfterMs ?? backoffMs(RETRY, failures), undefined, { signal }).catch(() => undefined);
  }

  /** The set never replaces its pod by itself. One made from the template before, a moment too early, goes as well. */
  async #replacePod({ spec, abort: { signal } }: Starting): Promise<void> {
    const isOlder = (pod: V1Pod | undefined): boolean =>
      pod !== undefined && (generationOf(pod) ?? 0) < spec.generation;
    for (
      let pod = this.#watch.find(spec.agentUid)?.pod;
      pod !== undefined;
      pod = this.#watch.find(spec.agentUid)?.pod
    ) {
      if (!isOlder(pod)) return;
      const { namespace = '', name = '', uid } = pod.metadata ?? {};
      await this.#client.delete(pathOf('pods', namespace, name), {
        graceSeconds: REPLACE_GRACE_SECONDS,
        signal,
        ...(uid !== undefined && { uid }),
      });
      await this.#watch.until(
        spec.agentUid,
        signal,
        (objects) => objects?.pod?.metadata?.uid !== uid || !isOlder(objects?.pod),
      );
    }
  }

  #changed(agentUid: string): void {
    this.#repairs.look(agentUid);
    this.#absent.look(agentUid);
    const objects = this.#watch.find(agentUid);
    if (objects !== undefined) this.#nudges.look(objects);
    this.#views.refresh(agentUid);
  }
}

/** Makes the runtime; `start` then finds out what runs. @throws when a setting cannot work */
export const createKubernetesRuntime = (options: KubernetesRuntimeOptions): Runtime => new KubernetesRuntime(options);
