import type { Agent, StartPhase, StartPhaseName } from '@sac/contracts';

export interface PhaseRow {
  readonly name: StartPhaseName;
  readonly state: StartPhase['state'];
  readonly detail: string | null;
  readonly elapsedMs: number | null;
  /** 0..100, null when there is nothing to count. */
  readonly percent: number | null;
  /** Estimated from the rate so far, null while that would be a guess. */
  readonly remainingMs: number | null;
}

/** Below this the rate says nothing about the rest. */
const MIN_ESTIMATE_ELAPSED_MS = 2000;
const MIN_ESTIMATE_SHARE = 0.03;

const remaining = (elapsedMs: number | null, done: number, total: number): number | null => {
  if (elapsedMs === null || elapsedMs < MIN_ESTIMATE_ELAPSED_MS || total <= 0) return null;
  const share = done / total;
  return share < MIN_ESTIMATE_SHARE || share >= 1 ? null : Math.round((elapsedMs * (1 - share)) / share);
};

const elapsed = (phase: StartPhase, now: number): number | null => {
  if (phase.durationMs !== null) return phase.durationMs;
  if (phase.startedAt === null || phase.state !== 'active') return null;
  return Math.max(0, now - Date.parse(phase.startedAt));
};

/** Start phases as rows. `now` is the clock in ms; durations of the active phase count up with it. */
export const phaseRows = (phases: readonly StartPhase[], now: number): PhaseRow[] =>
  phases.map((phase) => {
    const elapsedMs = elapsed(phase, now);
    const { progress } = phase;
    const counted = phase.state === 'active' && progress !== null && progress.total > 0;
    return {
      name: phase.name,
      state: phase.state,
      detail: phase.detail,
      elapsedMs,
      percent: counted ? Math.min(100, Math.max(0, (progress.done / progress.total) * 100)) : null,
      remainingMs: counted ? remaining(elapsedMs, progress.done, progress.total) : null,
    };
  });

/** What had begun when the start failed, as it stood then: nothing of it is under way any more. */
export const failedPhaseRows = (agent: Agent): PhaseRow[] =>
  phaseRows(agent.status.phases, Date.parse(agent.status.since))
    .filter((row) => row.state !== 'pending')
    .map((row) => (row.state === 'active' ? { ...row, state: 'failed' } : row));

export const activePhase = (agent: Agent): StartPhaseName | null =>
  agent.status.phases.find((phase) => phase.state === 'active')?.name ?? null;

/** How long the start takes by now, in ms: from the first phase that began. */
export const startElapsedMs = (agent: Agent, now: number): number => {
  const begun = agent.status.phases
    .map((phase) => (phase.startedAt === null ? Number.NaN : Date.parse(phase.startedAt)))
    .filter((time) => !Number.isNaN(time));
  const from = begun.length > 0 ? Math.min(...begun) : Date.parse(agent.status.since);
  return Math.max(0, now - from);
};

/** Whether the main terminal exists and can be shown. */
export const isRunning = (agent: Agent): boolean =>
  agent.status.state === 'ready' || agent.status.state === 'working' || agent.status.state === 'waiting';
