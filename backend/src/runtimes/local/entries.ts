import type { AgentFailure, StartPhase } from '@sac/contracts';
import type { Logger } from 'pino';
import type { ObservedSandbox } from '../runtime.ts';
import { failActivePhase } from '../phases.ts';
import type { SupervisorLink } from './supervisor-link.ts';

/** One generation of one sandbox as this process knows it. */
export interface Entry {
  observed: ObservedSandbox;
  link: SupervisorLink | null;
  /** Known while it is connected to. */
  supervisorPid: number | null;
  /** Aborts a start that has not reached its supervisor yet. */
  readonly starting: AbortController;
}

export const startingEntry = (
  { agentUid, generation, specHash }: Pick<ObservedSandbox, 'agentUid' | 'generation' | 'specHash'>,
  phases: readonly StartPhase[],
): Entry => ({
  link: null,
  supervisorPid: null,
  starting: new AbortController(),
  observed: {
    agentUid,
    generation,
    specHash,
    phases,
    state: 'starting',
    since: new Date(),
    failure: null,
    upstream: null,
  },
});

/** The sandboxes this process knows, at most one generation of each, and those who want to hear of changes. */
export class Entries {
  readonly #entries = new Map<string, Entry>();
  readonly #listeners = new Set<(sandbox: ObservedSandbox) => void>();
  readonly #logger: Logger;
  #silent = false;

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  get(agentUid: string): Entry | undefined {
    return this.#entries.get(agentUid);
  }

  all(): IterableIterator<Entry> {
    return this.#entries.values();
  }

  observed(): ReadonlyMap<string, ObservedSandbox> {
    return new Map([...this.#entries].map(([agentUid, { observed }]) => [agentUid, observed]));
  }

  onChange(listener: (sandbox: ObservedSandbox) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Nobody hears of anything any more. */
  silence(): void {
    this.#silent = true;
    this.#listeners.clear();
  }

  /** Takes the place of any other generation. */
  put(entry: Entry): void {
    this.#entries.set(entry.observed.agentUid, entry);
    this.#notify(entry.observed);
  }

  /** Changes what is seen of an entry, unless another generation has taken its place. */
  change(entry: Entry, change: Partial<ObservedSandbox>): void {
    entry.observed = { ...entry.observed, ...change };
    if (this.#isCurrent(entry)) this.#notify(entry.observed);
  }

  fail(entry: Entry, failure: AgentFailure): void {
    const { agentUid, generation, phases } = entry.observed;
    this.#logger.warn({ agentUid, generation, code: failure.code }, 'sandbox failed');
    this.change(entry, {
      failure,
      state: 'failed',
      since: new Date(),
      phases: failActivePhase(phases),
      upstream: null,
    });
  }

  forget(entry: Entry): void {
    if (!this.#isCurrent(entry)) return;
    this.#entries.delete(entry.observed.agentUid);
    this.#notify({ ...entry.observed, state: 'gone', since: new Date(), upstream: null });
  }

  #isCurrent(entry: Entry): boolean {
    return this.#entries.get(entry.observed.agentUid) === entry;
  }

  #notify(observed: ObservedSandbox): void {
    if (this.#silent) return;
    for (const listener of this.#listeners) listener(observed);
  }
}
