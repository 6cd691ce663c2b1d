import { startPhaseNames, type AgentFailure, type StartPhase } from '@sac/contracts';
import type { Isolation, ObservedSandbox, Runtime, SandboxSpec } from '../src/runtimes/runtime.ts';

/**
 * A runtime without processes, for tests whose subject is what the gateway wants of a runtime. What real
 * runtimes do is settled by their conformance suite.
 */
export interface MemoryRuntime extends Runtime {
  readonly specs: Map<string, SandboxSpec>;
  readonly calls: string[];
  isolationNow: Isolation;
  /** When set, `ensure` fails with it. */
  ensureError: Error | null;
  /** Changes what is observed, as a process that fails or ends by itself would. */
  becomes(agentUid: string, state: ObservedSandbox['state'], failure?: AgentFailure): void;
}

const phases = (done: boolean): StartPhase[] =>
  startPhaseNames.map((name) => ({
    name,
    state: done ? 'done' : 'active',
    startedAt: null,
    durationMs: null,
    detail: null,
    progress: null,
  }));

export const createMemoryRuntime = (): MemoryRuntime => {
  const sandboxes = new Map<string, ObservedSandbox>();
  const listeners = new Set<(sandbox: ObservedSandbox) => void>();
  const set = (sandbox: ObservedSandbox): void => {
    if (sandbox.state === 'gone') sandboxes.delete(sandbox.agentUid);
    else sandboxes.set(sandbox.agentUid, sandbox);
    for (const listener of listeners) listener(sandbox);
  };

  const runtime: MemoryRuntime = {
    kind: 'local',
    specs: new Map(),
    calls: [],
    isolationNow: { isolated: true, reason: null, fix: null },
    ensureError: null,
    start: () => Promise.resolve(),
    isolation: () => runtime.isolationNow,
    observed: () => sandboxes,
    onChange: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    ensure: async (spec) => {
      runtime.calls.push(`ensure ${spec.generation}`);
      if (runtime.ensureError) throw runtime.ensureError;
      const { agentUid, generation, specHash } = spec;
      runtime.specs.set(agentUid, spec);
      const base = { agentUid, generation, specHash, since: new Date(), failure: null };
      set({ ...base, state: 'starting', phases: phases(false), upstream: null });
      await Promise.resolve();
      set({
        ...base,
        state: 'running',
        phases: phases(true),
        upstream: { kind: 'unix', path: `/tmp/${agentUid}.sock` },
      });
    },
    stop: async (agentUid) => {
      runtime.calls.push('stop');
      runtime.becomes(agentUid, 'stopping');
      await Promise.resolve();
      runtime.becomes(agentUid, 'gone');
    },
    remove: async (agentUid) => {
      runtime.calls.push('remove');
      runtime.becomes(agentUid, 'gone');
      await Promise.resolve();
    },
    becomes: (agentUid, state, failure) => {
      const current = sandboxes.get(agentUid);
      if (current) set({ ...current, state, since: new Date(), failure: failure ?? null });
    },
    close: () => Promise.resolve(),
  };
  return runtime;
};
