import type { Logger } from 'pino';
import type { SandboxSpec } from '../runtime.ts';
import type { Applied } from './apply.ts';
import { pathOf, type ClusterClient } from './cluster-client.ts';
import { setGenerationOf, type Identity } from './objects/identity.ts';
import type { PodParts } from './objects/pod.ts';
import { Pacer } from './pacer.ts';
import { missingSecretOf } from './problems.ts';
import type { SandboxObjects } from './sandbox-objects.ts';
import { isAsWanted, isMarkedAsWanted } from './wanted.ts';

/** A Secret is not watched, as that would be the right to read all of them; it is looked at now and then instead. */
const SECRET_LOOK_MS = 10 * 60_000;
const LOOKS_PER_SECOND = 10;
/** Beside the starts, which a mass repair must not hold up. */
const REPAIRS_PER_SECOND = 10;
/** The watch is a moment behind what was just made, and people edit more than one thing. */
const SETTLE_MS = 200;
const RETRY_FIRST_MS = 1_000;
const RETRY_MAX_MS = 5 * 60_000;
/** So many in a row are made at once; a person who tries things out is not kept waiting. */
const PROMPT_REPAIRS = 5;
/** After so long without a repair the next one is a first one again. */
const QUIET_MS = 10 * 60_000;

/** Seen first by this process: what is wanted has changed more likely than the objects, as after an upgrade. */
const OUTDATED = 'it differs from what is wanted';

/** What was last made of a specification, and what is known of the objects since. */
interface Entry {
  readonly spec: SandboxSpec;
  readonly identity: Identity;
  readonly parts: PodParts;
  /** Null while unknown: the set is then compared in full, and the Secret written once. */
  setGeneration: number | null;
  secretVersion: string | null;
  lookAtMs: number;
  repairs: number;
  repairedAtMs: number;
  /** The Secret was missing for this pod, at this time, and has been made again since. */
  answered: string | null;
  /** A repair waits for its moment. */
  timer: NodeJS.Timeout | null;
}

export interface RepairsOptions {
  readonly client: ClusterClient;
  readonly logger: Logger;
  readonly signal: AbortSignal;
  readonly find: (agentUid: string) => SandboxObjects | undefined;
  /** A start or a stop goes on: what it makes is right. */
  readonly isBusy: (agentUid: string) => boolean;
  readonly inBackground: (agentUid: string, work: () => Promise<void>) => void;
  readonly apply: (identity: Identity, parts: PodParts) => Promise<Applied>;
  /** How often each Secret is looked at; default 10 min. */
  readonly secretLookMs?: number;
}

/** Somebody else changes or deletes what this process made: it is made right again, and never more often than helps. */
export class Repairs {
  readonly #options: RepairsOptions;
  readonly #lookMs: number;
  readonly #pacer = new Pacer(LOOKS_PER_SECOND);
  readonly #repairPacer = new Pacer(REPAIRS_PER_SECOND);
  readonly #entries = new Map<string, Entry>();

  constructor(options: RepairsOptions) {
    this.#options = options;
    this.#lookMs = options.secretLookMs ?? SECRET_LOOK_MS;
  }

  /** These objects were made just now. */
  made(identity: Identity, parts: PodParts, applied: Applied): void {
    this.forget(identity.agentUid);
    this.#entries.set(identity.agentUid, {
      ...this.#entryOf(identity, parts),
      setGeneration: applied.set.metadata?.generation ?? null,
      secretVersion: applied.secretVersion,
    });
  }

  forget(agentUid: string): void {
    clearTimeout(this.#entries.get(agentUid)?.timer ?? undefined);
    this.#entries.delete(agentUid);
  }

  /** Nothing is repaired any more. */
  close(): void {
    for (const agentUid of [...this.#entries.keys()]) this.forget(agentUid);
  }

  /** What is asked for is there, as far as its generation says. Called again and again by whoever wants it so. */
  confirm(identity: Identity, parts: PodParts): void {
    const { agentUid } = identity;
    if (this.#options.isBusy(agentUid)) return;
    if (!this.#entries.has(agentUid)) this.#entries.set(agentUid, this.#entryOf(identity, parts));
    this.look(agentUid);
    const entry = this.#entries.get(agentUid);
    if (entry === undefined || performance.now() < entry.lookAtMs) return;
    entry.lookAtMs = performance.now() + this.#lookMs;
    this.#options.inBackground(agentUid, () => this.#lookAtSecret(entry));
  }

  /** Something of the agent's objects has changed. */
  look(agentUid: string): void {
    const entry = this.#entries.get(agentUid);
    const objects = this.#options.find(agentUid);
    if (entry === undefined || entry.timer !== null || this.#options.isBusy(agentUid)) return;
    if (objects === undefined || (objects.set === undefined && objects.pod === undefined)) return this.forget(agentUid);
    if (this.#reasonFor(entry, objects) === null) return;
    const waitMs = Math.max(SETTLE_MS, this.#notBeforeMs(entry) - performance.now());
    entry.timer = setTimeout(() => void this.#repairInTurn(entry), waitMs).unref();
  }

  /** It waits for its turn outside of the agent's queue, where a start or a stop would wait behind it. */
  async #repairInTurn(entry: Entry): Promise<void> {
    try {
      await this.#repairPacer.turn(this.#options.signal);
    } catch {
      return; // the server is shutting down
    }
    entry.timer = null;
    this.#options.inBackground(entry.identity.agentUid, () => this.#repair(entry));
  }

  #entryOf(identity: Identity, parts: PodParts): Entry {
    // Spread, so that a server that starts does not ask for all of them at once.
    const lookAtMs = performance.now() + Math.random() * this.#lookMs;
    const unknown = { setGeneration: null, secretVersion: null, repairs: 0, repairedAtMs: -Infinity, answered: null };
    return { spec: parts.spec, identity, parts, lookAtMs, timer: null, ...unknown };
  }

  /** Null when nothing has to be done. */
  #reasonFor(entry: Entry, objects: SandboxObjects): string | null {
    const { set } = objects;
    if (set === undefined) return isLeft(objects) ? 'its StatefulSet was deleted and its pod left' : null;
    if (setGenerationOf(set) !== entry.spec.generation) return null; // another start has taken its place
    const missing = missingSecretOf(objects);
    if (missing !== null && missing !== entry.answered) return 'its Secret is missing';
    if (entry.setGeneration === null) {
      if (!isAsWanted(objects, entry.identity, entry.parts)) return OUTDATED;
      entry.setGeneration = set.metadata?.generation ?? null;
      return null;
    }
    if (set.metadata?.generation !== entry.setGeneration) return 'its StatefulSet was changed';
    return isMarkedAsWanted(objects, entry.identity, entry.parts) ? null : 'its Service or labels were changed';
  }

  #notBeforeMs({ repairs, repairedAtMs }: Entry): number {
    if (repairs < PROMPT_REPAIRS || performance.now() - repairedAtMs > QUIET_MS) return 0;
    return repairedAtMs + Math.min(RETRY_MAX_MS, RETRY_FIRST_MS * 2 ** Math.min(repairs - PROMPT_REPAIRS, 10));
  }

  /** `found`: what was seen that the watch does not tell. */
  async #repair(entry: Entry, found: string | null = null): Promise<void> {
    const { agentUid } = entry.identity;
    const objects = this.#options.find(agentUid);
    if (this.#entries.get(agentUid) !== entry || objects === undefined || this.#options.isBusy(agentUid)) return;
    const reason = found ?? this.#reasonFor(entry, objects);
    if (reason === null) return;
    entry.repairs = performance.now() - entry.repairedAtMs > QUIET_MS ? 1 : entry.repairs + 1;
    entry.repairedAtMs = performance.now();
    entry.answered = missingSecretOf(objects);
    this.#tell(entry, reason);
    await this.#write(entry);
    this.look(agentUid);
  }

  #tell({ identity: { agentUid }, repairs }: Entry, reason: string): void {
    const { client, logger } = this.#options;
    if (reason === OUTDATED) return logger.info({ agentUid }, 'objects of a sandbox are brought up to date');
    logger.warn({ agentUid, reason, repairs }, 'objects of a sandbox are put right');
    client.metrics.repaired();
  }

  async #write(entry: Entry): Promise<void> {
    const { agentUid } = entry.identity;
    try {
      const { set, secretVersion } = await this.#options.apply(entry.identity, entry.parts);
      entry.setGeneration = set.metadata?.generation ?? null;
      entry.secretVersion = secretVersion;
    } catch (err) {
      if (!this.#options.signal.aborted) this.#options.logger.warn({ agentUid, err }, 'they could not be put right');
    }
  }

  async #lookAtSecret(entry: Entry): Promise<void> {
    const { client, signal } = this.#options;
    const { agentUid, namespace, name } = entry.identity;
    await this.#pacer.turn(signal);
    if (this.#entries.get(agentUid) !== entry || this.#options.isBusy(agentUid)) return;
    if (entry.secretVersion === null) return this.#write(entry);
    const found = await client.findMetadata(pathOf('secrets', namespace, name), signal);
    if (found?.metadata?.resourceVersion === entry.secretVersion) return;
    await this.#repair(entry, found === null ? 'its Secret was deleted' : 'its Secret was changed');
  }
}

/** A set that is deleted takes its pod with it, unless it has let go of it before. */
const isLeft = ({ set, pod }: SandboxObjects): boolean =>
  set === undefined &&
  pod !== undefined &&
  pod.metadata?.deletionTimestamp === undefined &&
  (pod.metadata?.ownerReferences ?? []).length === 0;
