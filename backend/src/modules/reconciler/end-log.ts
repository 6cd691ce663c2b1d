import type { ObservedSandbox } from '../../runtimes/runtime.ts';

/** Remembers sandboxes that ended by themselves, so that they are started again with growing pauses and not for ever. */
export interface EndLog {
  /** Call with every observation. */
  seen(agentUid: string, observed: ObservedSandbox): void;
  /** Call when a sandbox that should run is not there. */
  note(
    agentUid: string,
    generation: number,
  ): { readonly unexpected: boolean; readonly giveUp: boolean; readonly waitMs: number };
  forget(agentUid: string): void;
}

interface Entry {
  generation: number | null;
  endsMs: number[];
  retryAtMs: number;
}

const WINDOW_MS = 10 * 60_000;
const MAX_ENDS = 5;
const FIRST_PAUSE_MS = 500;

export const createEndLog = (now: () => number = Date.now): EndLog => {
  const entries = new Map<string, Entry>();

  const entryOf = (agentUid: string): Entry => {
    const entry = entries.get(agentUid) ?? { generation: null, endsMs: [], retryAtMs: 0 };
    entries.set(agentUid, entry);
    return entry;
  };

  return {
    seen: (agentUid, observed) => {
      if (observed.state === 'starting' || observed.state === 'running')
        entryOf(agentUid).generation = observed.generation;
    },
    note: (agentUid, generation) => {
      const entry = entries.get(agentUid);
      if (!entry) return { unexpected: false, giveUp: false, waitMs: 0 };
      const nowMs = now();
      const unexpected = entry.generation === generation;
      if (unexpected) {
        entry.generation = null;
        entry.endsMs = [...entry.endsMs.filter((at) => at > nowMs - WINDOW_MS), nowMs];
        // The first end is mended at once.
        entry.retryAtMs = entry.endsMs.length > 1 ? nowMs + FIRST_PAUSE_MS * 4 ** (entry.endsMs.length - 1) : nowMs;
      }
      const giveUp = entry.endsMs.length >= MAX_ENDS;
      if (giveUp) entries.delete(agentUid);
      return { unexpected, giveUp, waitMs: Math.max(0, entry.retryAtMs - nowMs) };
    },
    forget: (agentUid) => {
      entries.delete(agentUid);
    },
  };
};
