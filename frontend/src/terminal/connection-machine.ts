import { reconnectDelayMs } from '@sac/contracts';
import type { Verdict } from './reconnect-policy.ts';
import type { Refusal } from './status.ts';

/**
 * idle → opening → live → reconnecting(attempt, at) → live | ended | refused. Pure: the connection feeds it
 * events and carries out the one command that each answer holds.
 */
export type MachineState =
  | { readonly phase: 'idle' }
  | { readonly phase: 'opening' }
  | { readonly phase: 'live'; readonly since: number; readonly earlierAttempts: number }
  /** `retryAt` null: the attempt is under way. `reason`: why the server asked to try later, in its words. */
  | {
      readonly phase: 'reconnecting';
      readonly attempt: number;
      readonly retryAt: number | null;
      readonly reason?: string | undefined;
    }
  | { readonly phase: 'ended' }
  | { readonly phase: 'refused'; readonly refusal: Refusal };

export type MachineEvent =
  /** A person (or the page) asks for a connection. */
  | { readonly type: 'connect' }
  /** The same, but what is open is given up for a new connection. */
  | { readonly type: 'reconnect' }
  /** The server has begun to send. */
  | { readonly type: 'established' }
  | { readonly type: 'failed'; readonly verdict: Verdict }
  /** The planned moment has come. */
  | { readonly type: 'due' }
  /** Back online, or the tab is looked at again. */
  | { readonly type: 'nudge' }
  | { readonly type: 'disconnect' };

/** `attempt`: drop what is open and try now; `wait`: set the timer; `stop`: drop everything; `none`: go on. */
export type Command = 'attempt' | 'wait' | 'stop' | 'none';

export interface Transition {
  readonly state: MachineState;
  readonly command: Command;
}

/** A connection that lasted this long was a good one: the next loss starts with the short delays again. */
export const SETTLED_AFTER_MS = 10_000;

const attemptsBehind = (state: MachineState, now: number): number => {
  if (state.phase === 'reconnecting') return state.attempt;
  if (state.phase === 'live') return now - state.since >= SETTLED_AFTER_MS ? 0 : state.earlierAttempts;
  return 0;
};

const onFailure = (state: MachineState, verdict: Verdict, now: number, random: number): Transition => {
  if (verdict.kind === 'ended') return { state: { phase: 'ended' }, command: 'stop' };
  if (verdict.kind === 'refused') return { state: { phase: 'refused', refusal: verdict.refusal }, command: 'stop' };
  const attempt = attemptsBehind(state, now) + 1;
  const delayMs = Math.max(reconnectDelayMs(attempt, random), verdict.minimumDelayMs);
  return { state: { phase: 'reconnecting', attempt, retryAt: now + delayMs, reason: verdict.reason }, command: 'wait' };
};

const trying = (state: MachineState): boolean =>
  state.phase === 'opening' || state.phase === 'live' || (state.phase === 'reconnecting' && state.retryAt === null);

/** `now` in epoch milliseconds, `random` in [0, 1). */
export const transition = (state: MachineState, event: MachineEvent, now: number, random: number): Transition => {
  const unchanged: Transition = { state, command: 'none' };
  switch (event.type) {
    case 'connect':
      if (trying(state)) return unchanged;
      return state.phase === 'reconnecting'
        ? { state: { ...state, retryAt: null }, command: 'attempt' }
        : { state: { phase: 'opening' }, command: 'attempt' };
    case 'reconnect':
      return state.phase === 'live' || state.phase === 'reconnecting'
        ? {
            state: {
              phase: 'reconnecting',
              attempt: Math.max(1, attemptsBehind(state, now)),
              retryAt: null,
              reason: state.phase === 'reconnecting' ? state.reason : undefined,
            },
            command: 'attempt',
          }
        : { state: { phase: 'opening' }, command: 'attempt' };
    case 'established':
      return state.phase === 'opening' || state.phase === 'reconnecting'
        ? { state: { phase: 'live', since: now, earlierAttempts: attemptsBehind(state, now) }, command: 'none' }
        : unchanged;
    case 'failed':
      return trying(state) ? onFailure(state, event.verdict, now, random) : unchanged;
    case 'due':
    case 'nudge':
      return state.phase === 'reconnecting' && state.retryAt !== null
        ? { state: { ...state, retryAt: null }, command: 'attempt' }
        : unchanged;
    case 'disconnect':
      return { state: { phase: 'idle' }, command: 'stop' };
  }
};
