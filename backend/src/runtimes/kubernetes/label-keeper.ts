import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from 'pino';
import type { ClusterClient, ClusterObject } from './cluster-client.ts';
import { ClusterError } from './cluster-error.ts';
import { ADOPTED_BY, annotationNames, labelNames } from './objects/identity.ts';

/** Somebody else who changes an object again and again is let have it, and the log says so. */
const MOST_RESTORED = 10;
const WINDOW_MS = 10 * 60_000;
const KEPT_OBJECTS = 2_000;
/** The API server may say 5xx for a moment; an object is not given up for that. */
const TRIES = 3;
const RETRY_MS = 500;

interface Marks {
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
}

const lastingLabels = [
  labelNames.name,
  labelNames.instance,
  labelNames.component,
  labelNames.managedBy,
  labelNames.userId,
  labelNames.agentId,
  labelNames.agentUid,
  labelNames.installId,
];

const pick = (from: Readonly<Record<string, string>> = {}, names: readonly string[]): Record<string, string> =>
  Object.fromEntries(names.flatMap((name) => (from[name] === undefined ? [] : [[name, from[name]]])));

/** What an agent has one of each. */
export type Slot = 'set' | 'pod' | 'claim' | 'service';

/** What says whose an object is, and never changes on it. A pod's also says which start it is and what it may reach. */
const marksOf = ({ metadata }: ClusterObject, slot: Slot): Marks => ({
  labels: pick(metadata?.labels, slot === 'pod' ? [...lastingLabels, labelNames.egress] : lastingLabels),
  annotations: pick(metadata?.annotations, slot === 'pod' ? Object.values(annotationNames) : []),
});

const has = (there: Readonly<Record<string, string>> = {}, wanted: Readonly<Record<string, string>>): boolean =>
  Object.entries(wanted).every(([name, value]) => there[name] === value);

/** Only volumes are ever given to another agent. */
const isAdopted = ({ metadata }: ClusterObject, slot: Slot): boolean => {
  const to = metadata?.annotations?.[ADOPTED_BY];
  return slot === 'claim' && to !== undefined && to === metadata?.labels?.[labelNames.agentUid];
};

/** Whether one version of an object still says whose it is as an earlier one did. */
export const keepsMarks = (now: ClusterObject, before: ClusterObject, slot: Slot): boolean => {
  const { labels, annotations } = marksOf(before, slot);
  return isAdopted(now, slot) || (has(now.metadata?.labels, labels) && has(now.metadata?.annotations, annotations));
};

/**
 * Puts back labels that somebody took from, or changed on, an object of ours. That it is ours is known by its uid, which
 * nobody can give to another object; an object that was never seen with our labels is never touched.
 */
export class LabelKeeper {
  readonly #client: ClusterClient;
  readonly #logger: Logger;
  readonly #restored = new Map<string, { count: number; sinceMs: number }>();

  constructor(client: ClusterClient, logger: Logger) {
    this.#client = client;
    this.#logger = logger;
  }

  /** `before` is as it was last seen with our labels. False: it is gone, ends, or cannot be kept. Never rejects. */
  async restore(path: string, before: ClusterObject, options: { slot: Slot; signal: AbortSignal }): Promise<boolean> {
    const uid = before.metadata?.uid;
    if (uid === undefined) return false;
    for (let tries = 1; ; tries += 1) {
      try {
        return await this.#restoreOnce(path, uid, before, options);
      } catch (err) {
        const mayPass = err instanceof ClusterError && err.isTransient && tries < TRIES;
        if (options.signal.aborted) return false;
        if (!mayPass) {
          this.#logger.warn({ path, err }, 'labels of an object cannot be put back');
          return false;
        }
      }
      await delay(RETRY_MS, undefined, { signal: options.signal }).catch(() => undefined);
    }
  }

  async #restoreOnce(
    path: string,
    uid: string,
    before: ClusterObject,
    { slot, signal }: { slot: Slot; signal: AbortSignal },
  ): Promise<boolean> {
    const marks = marksOf(before, slot);
    const now = await this.#client.findMetadata(path, signal);
    if (now?.metadata?.uid !== uid || now.metadata.deletionTimestamp !== undefined) return false;
    if (isAdopted(now, slot) && now.metadata.labels?.[labelNames.agentUid] !== marks.labels[labelNames.agentUid])
      return false;
    if (has(now.metadata.labels, marks.labels) && has(now.metadata.annotations, marks.annotations)) return true;
    if (!this.#mayRestore(uid)) {
      this.#logger.error({ path }, `labels were put back ${MOST_RESTORED} times in ${WINDOW_MS / 60_000} min; no more`);
      return false;
    }
    this.#logger.warn({ path }, 'labels of an object were changed by somebody else and are put back');
    // With the uid another object that has the name meanwhile is refused.
    await this.#client.merge(path, { metadata: { uid, ...marks } }, signal);
    return true;
  }

  #mayRestore(uid: string): boolean {
    const nowMs = performance.now();
    const known = this.#restored.get(uid);
    const entry = known === undefined || nowMs - known.sinceMs > WINDOW_MS ? { count: 0, sinceMs: nowMs } : known;
    this.#restored.set(uid, { ...entry, count: entry.count + 1 });
    const [oldest] = this.#restored.keys();
    if (this.#restored.size > KEPT_OBJECTS && oldest !== undefined) this.#restored.delete(oldest);
    return entry.count < MOST_RESTORED;
  }
}
