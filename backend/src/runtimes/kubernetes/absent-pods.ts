import { pathOf, type ClusterClient } from './cluster-client.ts';
import { podNameOf } from './names.ts';
import { isOwnedBy } from './objects/identity.ts';
import { Pacer } from './pacer.ts';
import type { SandboxObjects } from './sandbox-objects.ts';

/** Sooner, a pod is about to come, or the labels of ours are being put back. */
const FIRST_LOOK_MS = 5_000;
const NEXT_LOOK_MS = 15_000;
/** A quota that is used up leaves many agents without a pod. */
const LOOKS_PER_SECOND = 10;

export interface AbsentPodsOptions {
  readonly client: Pick<ClusterClient, 'findMetadata'>;
  readonly installId: string;
  readonly signal: AbortSignal;
  readonly find: (agentUid: string) => SandboxObjects | undefined;
  /** Whether its name is taken is another answer than before. */
  readonly onChange: (agentUid: string) => void;
}

interface Absence {
  timer: NodeJS.Timeout | null;
  isTaken: boolean;
}

const isAbsent = (objects: SandboxObjects | undefined): objects is SandboxObjects =>
  objects?.set !== undefined && objects.set.spec?.replicas !== 0 && objects.pod === undefined;

/**
 * A StatefulSet waits without an event while a pod of somebody else has the name of its own, and the watch does not
 * tell of such a pod either: so where a pod should be and does not come, it is looked for by its name.
 */
export class AbsentPods {
  readonly #options: AbsentPodsOptions;
  readonly #pacer = new Pacer(LOOKS_PER_SECOND);
  readonly #absences = new Map<string, Absence>();

  constructor(options: AbsentPodsOptions) {
    this.#options = options;
  }

  /** A pod that is not this agent's has the name of its pod, as far as that was looked at. */
  isNameTaken(agentUid: string): boolean {
    return this.#absences.get(agentUid)?.isTaken ?? false;
  }

  /** Something of the agent's objects has changed. */
  look(agentUid: string): void {
    const isThere = !isAbsent(this.#options.find(agentUid));
    if (isThere) return this.#forget(agentUid);
    if (this.#absences.has(agentUid)) return;
    const absence: Absence = { timer: null, isTaken: false };
    this.#absences.set(agentUid, absence);
    this.#lookAfter(FIRST_LOOK_MS, agentUid, absence);
  }

  /** Nothing is looked for any more. */
  close(): void {
    for (const agentUid of [...this.#absences.keys()]) this.#forget(agentUid);
  }

  #forget(agentUid: string): void {
    clearTimeout(this.#absences.get(agentUid)?.timer ?? undefined);
    this.#absences.delete(agentUid);
  }

  #lookAfter(ms: number, agentUid: string, absence: Absence): void {
    absence.timer = setTimeout(() => void this.#lookNow(agentUid, absence), ms).unref();
  }

  async #lookNow(agentUid: string, absence: Absence): Promise<void> {
    // Who cannot be asked now is asked again.
    const isTaken = await this.#isTaken(agentUid).catch(() => absence.isTaken);
    if (this.#absences.get(agentUid) !== absence) return;
    this.#lookAfter(NEXT_LOOK_MS, agentUid, absence);
    if (isTaken === absence.isTaken) return;
    absence.isTaken = isTaken;
    this.#options.onChange(agentUid);
  }

  async #isTaken(agentUid: string): Promise<boolean> {
    const { client, installId, signal, find } = this.#options;
    await this.#pacer.turn(signal);
    const objects = find(agentUid);
    if (!isAbsent(objects)) return false;
    const path = pathOf('pods', objects.namespace, podNameOf(objects.name));
    const there = await client.findMetadata(path, signal);
    return there !== null && !isOwnedBy(there, { agentUid, installId });
  }
}
