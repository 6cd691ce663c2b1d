import { startPhaseNames, type StartPhase, type StartPhaseName } from '@sac/contracts';

/** The phases of a start before anything happened. */
export const pendingPhases = (): StartPhase[] =>
  startPhaseNames.map((name) => ({
    name,
    state: 'pending',
    startedAt: null,
    durationMs: null,
    detail: null,
    progress: null,
  }));

const elapsedMs = ({ startedAt }: StartPhase): number | null =>
  startedAt === null ? null : Date.now() - Date.parse(startedAt);

const change = (
  phases: readonly StartPhase[],
  name: StartPhaseName,
  alter: (phase: StartPhase) => StartPhase,
): StartPhase[] => phases.map((phase) => (phase.name === name ? alter(phase) : phase));

export const beginPhase = (
  phases: readonly StartPhase[],
  name: StartPhaseName,
  detail: string | null = null,
): StartPhase[] =>
  change(phases, name, (phase) => ({ ...phase, state: 'active', startedAt: new Date().toISOString(), detail }));

export const endPhase = (phases: readonly StartPhase[], name: StartPhaseName): StartPhase[] =>
  change(phases, name, (phase) => ({ ...phase, state: 'done', durationMs: elapsedMs(phase), progress: null }));

export const progressPhase = (
  phases: readonly StartPhase[],
  name: StartPhaseName,
  detail: string,
  progress: StartPhase['progress'],
): StartPhase[] => change(phases, name, (phase) => ({ ...phase, detail, progress }));

export const failActivePhase = (phases: readonly StartPhase[]): StartPhase[] =>
  phases.map((phase) =>
    phase.state === 'active' ? { ...phase, state: 'failed', durationMs: elapsedMs(phase) } : phase,
  );
