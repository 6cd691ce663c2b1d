import type { AgentFailure } from '@sac/contracts';
import type { DesiredState } from '../../db/agent-tables.ts';
import type { ObservedSandbox } from '../../runtimes/runtime.ts';
import { DELETION_GRACE_MS, UNDO_WINDOW_MS } from '../agents/lifetimes.ts';

/** What the database wants of one agent. */
export interface Wanted {
  readonly desired: DesiredState;
  readonly generation: number;
  readonly deletedAt: Date | null;
  /** The owner's account is active. */
  readonly ownerActive: boolean;
  /** The sandbox would be isolated, or the owner may run agents all the same. */
  readonly mayRun: boolean;
  readonly startFailure: AgentFailure | null;
}

/**
 * `start`: make a sandbox with this generation, which is new and must be stored first.
 * `ensure`: make the sandbox of the stored generation, replacing an older one.
 */
export type Decision =
  | { readonly action: 'none'; readonly recheckAfterMs?: number }
  | { readonly action: 'start'; readonly generation: number }
  | { readonly action: 'ensure' }
  | { readonly action: 'stop' }
  | { readonly action: 'remove' };

const none: Decision = { action: 'none' };

const isThere = (observed: ObservedSandbox | undefined): observed is ObservedSandbox =>
  observed !== undefined && observed.state !== 'gone';

const stopIfThere = (observed: ObservedSandbox | undefined, recheckAfterMs?: number): Decision => {
  if (isThere(observed) && observed.state !== 'stopping') return { action: 'stop' };
  return recheckAfterMs === undefined ? none : { action: 'none', recheckAfterMs };
};

const decideDeleted = (deletedAt: Date, observed: ObservedSandbox | undefined, nowMs: number): Decision => {
  const ageMs = nowMs - deletedAt.getTime();
  if (ageMs >= DELETION_GRACE_MS) return { action: 'remove' };
  if (ageMs < UNDO_WINDOW_MS) return { action: 'none', recheckAfterMs: UNDO_WINDOW_MS - ageMs };
  return stopIfThere(observed, DELETION_GRACE_MS - ageMs);
};

/** Whether an agent's sandbox should exist now; a deleted agent's goes on until undo is over. */
export const wantsSandbox = (wanted: Wanted): boolean =>
  wanted.desired === 'awake' && wanted.ownerActive && wanted.mayRun;

/**
 * One step from what is to what should be. Pure and level-triggered: it looks at states only, so it may be
 * called at any time and as often as one likes.
 */
export const decide = (wanted: Wanted, observed: ObservedSandbox | undefined, nowMs: number): Decision => {
  if (wanted.deletedAt) return decideDeleted(wanted.deletedAt, observed, nowMs);
  if (!wantsSandbox(wanted)) return stopIfThere(observed);
  if (!isThere(observed)) return wanted.startFailure ? none : { action: 'start', generation: wanted.generation + 1 };
  if (observed.state === 'stopping') return none;
  // A database restored from a backup may be behind what runs; generations only ever grow.
  if (observed.generation > wanted.generation) return { action: 'start', generation: observed.generation + 1 };
  if (observed.generation < wanted.generation) return wanted.startFailure ? none : { action: 'ensure' };
  return none;
};
