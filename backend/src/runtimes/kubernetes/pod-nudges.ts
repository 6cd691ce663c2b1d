import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from 'pino';
import { pathOf, type ClusterClient } from './cluster-client.ts';
import { NUDGED_AT } from './objects/identity.ts';
import type { ClusterEvent, SandboxObjects } from './sandbox-objects.ts';

/** By then the API server knows what it has just refused to tell. */
const PAUSE_MS = 300;
const MOST_PER_POD = 3;
const KEPT_PODS = 2_000;

const isRefusal = ({ reason, message }: ClusterEvent): boolean =>
  reason === 'FailedMount' && message.includes('no relationship found between node');

export interface PodNudgesOptions {
  readonly client: Pick<ClusterClient, 'merge'>;
  readonly logger: Logger;
  readonly signal: AbortSignal;
}

/**
 * A kubelet may hear of a pod a moment before the part of the API server that lets it read the pod's volume claim. It is
 * refused then and rests for ten seconds, unless the pod changes: so it is changed
 * (https://github.com/kubernetes/kubernetes/issues/113429).
 */
export class PodNudges {
  readonly #options: PodNudgesOptions;
  /** By uid of the pod: how often, and after which event last. */
  readonly #nudged = new Map<string, { count: number; atMs: number }>();

  constructor(options: PodNudgesOptions) {
    this.#options = options;
  }

  /** Something of the agent's objects has changed. */
  look({ pod, events }: SandboxObjects): void {
    const { uid, deletionTimestamp } = pod?.metadata ?? {};
    if (uid === undefined || deletionTimestamp !== undefined || pod?.status?.podIP !== undefined) return;
    const refusal = events.findLast((event) => event.objectUid === uid && isRefusal(event));
    if (refusal === undefined) return;
    const { count, atMs } = this.#nudged.get(uid) ?? { count: 0, atMs: -Infinity };
    if (count >= MOST_PER_POD || refusal.atMs <= atMs) return;
    this.#nudged.set(uid, { count: count + 1, atMs: refusal.atMs });
    const [oldest] = this.#nudged.keys();
    if (this.#nudged.size > KEPT_PODS && oldest !== undefined) this.#nudged.delete(oldest);
    const { namespace = '', name = '' } = pod?.metadata ?? {};
    void this.#nudge(pathOf('pods', namespace, name), uid);
  }

  /** Never rejects: without it the start takes longer, and that is all. */
  async #nudge(path: string, uid: string): Promise<void> {
    const { client, logger, signal } = this.#options;
    try {
      await delay(PAUSE_MS, undefined, { signal });
      // With the uid a pod that has the name meanwhile is refused.
      await client.merge(path, { metadata: { uid, annotations: { [NUDGED_AT]: new Date().toISOString() } } }, signal);
      logger.info({ path }, 'the kubelet was refused the volume of a pod for a moment; it is made to look again');
    } catch (err) {
      if (!signal.aborted) logger.warn({ path, err }, 'a pod whose volume was refused could not be changed');
    }
  }
}
