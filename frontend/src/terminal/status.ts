import type { ExitStatus, Size, StatePayload } from '@sac/contracts';

export const terminalPhases = ['idle', 'opening', 'live', 'reconnecting', 'ended', 'refused'] as const;
export type TerminalPhase = (typeof terminalPhases)[number];

/** Why a terminal does not open and will not by itself. */
export interface Refusal {
  /** An error code of the server, or `gone`, `ticket`, `refused` from the terminal itself. */
  readonly code: string;
  readonly message: string;
  /** Empty when no request failed. */
  readonly requestId: string;
}

export type Viewer = StatePayload['viewers'][number];

/** Everything the page may want to show about one terminal. */
export interface TerminalStatus {
  readonly phase: TerminalPhase;
  /** Number of the current or next attempt while reconnecting, from 1. */
  readonly attempt: number;
  /** Epoch milliseconds of the next attempt; null while one is under way or none is planned. */
  readonly retryAt: number | null;
  /** Why the server asked to try later, in its words; empty while not reconnecting or when the line was only lost. */
  readonly retryReason: string;
  readonly refusal: Refusal | null;
  /** Round trip of the last echo; null before the first and while not connected. */
  readonly rttMs: number | null;
  readonly exit: ExitStatus | null;
  /** This viewer sets the size. */
  readonly owner: boolean;
  readonly viewers: readonly Viewer[];
  /** Size of the PTY; null until the server has said it. */
  readonly size: Size | null;
  readonly title: string;
  /** What it shows is being written down. */
  readonly recorded: boolean;
  /** False with a stock ttyd: what is missed while away is not sent again. */
  readonly resumable: boolean;
}

export const initialStatus: TerminalStatus = {
  phase: 'idle',
  attempt: 0,
  retryAt: null,
  retryReason: '',
  refusal: null,
  rttMs: null,
  exit: null,
  owner: false,
  viewers: [],
  size: null,
  title: '',
  recorded: false,
  resumable: true,
};
