import {
  startPhaseNames,
  type AgentFailure,
  type AgentStatus,
  type SandboxReport,
  type StartPhase,
} from '@sac/contracts';
import type { Isolation, ObservedSandbox } from '../../runtimes/runtime.ts';
import { wantsSandbox, type Wanted } from './decide.ts';

/** Everything known about an agent's sandbox, from the database, the runtime and the sandbox itself. */
export interface StatusInput {
  readonly wanted: Wanted & { readonly desiredChangedAt: Date; readonly startFailedAt: Date | null };
  readonly observed: ObservedSandbox | undefined;
  readonly report: { readonly generation: number; readonly report: SandboxReport } | null;
  /** The configuration now is not the one the sandbox was started with. */
  readonly configurationChanged: boolean;
  readonly isolation: Isolation;
}

type Derived = Pick<AgentStatus, 'state' | 'since' | 'activity' | 'phases' | 'failure'>;

/** Nothing is known yet but that it is to start. */
const waitingPhases = (): StartPhase[] =>
  startPhaseNames.map((name, index) => ({
    name,
    state: index === 0 ? 'active' : 'pending',
    startedAt: null,
    durationMs: null,
    detail: null,
    progress: null,
  }));

/** The sandbox runs, its CLI does not answer yet: of the phases only `ready` is missing. */
const almostReadyPhases = (observed: ObservedSandbox): StartPhase[] =>
  observed.phases.map((phase) =>
    phase.name === 'ready' && phase.state !== 'failed' ? { ...phase, state: 'active', durationMs: null } : phase,
  );

const readyPhases = (observed: ObservedSandbox, readyAt: string): StartPhase[] =>
  observed.phases.map((phase) =>
    phase.name === 'ready' && phase.state !== 'done'
      ? { ...phase, state: 'done', startedAt: phase.startedAt ?? readyAt }
      : phase,
  );

const isolationFailure = (isolation: Isolation): AgentFailure => ({
  code: 'isolation_unavailable',
  reason: isolation.reason ?? 'Sandboxes cannot be isolated on this server, so only administrators may run agents.',
  fix: isolation.fix ?? 'Ask an administrator to enable isolation.',
  output: null,
});

const crashFailure = (report: SandboxReport): AgentFailure => {
  const { crash } = report;
  const how = crash?.signal
    ? `by ${crash.signal}`
    : typeof crash?.exitCode === 'number'
      ? `with exit code ${crash.exitCode}`
      : 'unexpectedly';
  return {
    code: 'cli_crash_loop',
    reason: `The CLI keeps ending ${how}${crash ? ` (${crash.restarts} restarts)` : ''} and is not started again.`,
    fix: 'Read its last output, correct the settings, then restart the agent.',
    output: crash?.output ?? null,
  };
};

/** What the sandbox says about its CLI, once the sandbox itself runs. */
const deriveRunning = (observed: ObservedSandbox, report: SandboxReport | null): Derived => {
  const base: Derived = {
    state: 'starting',
    since: observed.since.toISOString(),
    activity: null,
    phases: almostReadyPhases(observed),
    failure: null,
  };
  if (!report) return base;
  const { activity } = report;
  const said: Derived = { ...base, since: activity.since, activity: activity.text };
  switch (activity.state) {
    case 'starting':
      return said;
    case 'ready':
    case 'working':
    case 'waiting':
      return { ...said, state: activity.state, phases: readyPhases(observed, activity.since) };
    case 'ended':
      return { ...said, activity: activity.text ?? 'the CLI ended and starts again' };
    case 'crashed':
      if (report.crash?.gaveUp !== false) return { ...said, state: 'failed', failure: crashFailure(report) };
      return { ...said, activity: `the CLI ended ${report.crash.restarts} times and starts again` };
  }
};

const isGone = (observed: ObservedSandbox | undefined): observed is undefined =>
  observed === undefined || observed.state === 'gone';

const deriveAsleep = (input: StatusInput): Derived => {
  const { observed, wanted } = input;
  const state = isGone(observed) ? 'asleep' : 'stopping';
  return { state, since: wanted.desiredChangedAt.toISOString(), activity: null, phases: [], failure: null };
};

const deriveAwake = (input: StatusInput): Derived => {
  const { observed, wanted } = input;
  const since = wanted.desiredChangedAt.toISOString();
  if (wanted.startFailure) {
    return {
      state: 'failed',
      since: (wanted.startFailedAt ?? wanted.desiredChangedAt).toISOString(),
      activity: null,
      phases: observed ? [...observed.phases] : [],
      failure: wanted.startFailure,
    };
  }
  if (isGone(observed) || observed.state === 'stopping' || observed.generation !== wanted.generation) {
    return { state: 'starting', since, activity: null, phases: waitingPhases(), failure: null };
  }
  const observedSince = observed.since.toISOString();
  switch (observed.state) {
    case 'starting':
      return { state: 'starting', since: observedSince, activity: null, phases: [...observed.phases], failure: null };
    case 'failed': {
      const unknown: AgentFailure = {
        code: 'sandbox_start_failed',
        reason: 'The sandbox did not start.',
        fix: 'Restart the agent; if it happens again, read the server log.',
        output: null,
      };
      return {
        state: 'failed',
        since: observedSince,
        activity: null,
        phases: [...observed.phases],
        failure: observed.failure ?? unknown,
      };
    }
    case 'running':
    case 'gone':
      return deriveRunning(observed, input.report?.generation === wanted.generation ? input.report.report : null);
  }
};

const derive = (input: StatusInput): Derived => {
  const { wanted, isolation } = input;
  if (wanted.desired === 'awake' && wanted.ownerActive && !wanted.mayRun) {
    return {
      state: 'failed',
      since: wanted.desiredChangedAt.toISOString(),
      activity: null,
      phases: [],
      failure: isolationFailure(isolation),
    };
  }
  return wantsSandbox(wanted) ? deriveAwake(input) : deriveAsleep(input);
};

/** The state a person sees, from what should be and what is. Pure. */
export const deriveStatus = (input: StatusInput): AgentStatus => {
  const { observed, wanted } = input;
  const runsThisGeneration =
    !isGone(observed) &&
    observed.generation === wanted.generation &&
    (observed.state === 'running' || observed.state === 'starting');
  return {
    ...derive(input),
    reachable: wantsSandbox(wanted) && runsThisGeneration && observed.state === 'running' && observed.upstream !== null,
    restartRequired: wantsSandbox(wanted) && runsThisGeneration && input.configurationChanged,
    isolated: input.isolation.isolated,
  };
};

/** Report of the sandbox that is wanted and runs now; anything older says nothing. */
export const currentReport = (input: Pick<StatusInput, 'wanted' | 'observed' | 'report'>): SandboxReport | null => {
  const { wanted, observed, report } = input;
  const current =
    observed?.state === 'running' &&
    observed.generation === wanted.generation &&
    report?.generation === wanted.generation;
  return current && wantsSandbox(wanted) ? report.report : null;
};
