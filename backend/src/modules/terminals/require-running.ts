import type { SandboxReport, Upstream } from '@sac/contracts';
import { AppError } from '../../lib/app-error.ts';
import type { OwnAgent } from '../agents/service.ts';
import { wantsSandbox } from '../reconciler/decide.ts';

export interface RunningSandbox {
  readonly generation: number;
  readonly upstream: Upstream;
  /** Null until the sidecar has reported for the first time. */
  readonly report: SandboxReport | null;
}

/** The sandbox that runs now. Throws `asleep` when none is wanted, `not_ready` while it does not accept connections. Never wakes one. */
export const requireRunning = ({ state }: OwnAgent): RunningSandbox => {
  const { wanted, observed } = state;
  if (!wantsSandbox(wanted)) throw new AppError('asleep', 'The agent is asleep. Wake it first.');
  if (observed?.state !== 'running' || observed.generation !== wanted.generation || !observed.upstream) {
    const why = state.status.failure
      ? `The agent failed: ${state.status.failure.reason}`
      : 'The agent is starting. Try again when it is ready.';
    throw new AppError('not_ready', why, { retryAfterSeconds: 1 });
  }
  return { generation: observed.generation, upstream: observed.upstream, report: state.report };
};
