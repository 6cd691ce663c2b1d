import { closeCodes, type ErrorCode } from '@sac/contracts';
import type { Refusal } from './status.ts';

/** A server that asked for patience gets at least this. */
const BUSY_DELAY_MS = 1_000;

/** What follows from a failed attempt or a lost connection. */
export type Verdict =
  /** `reason`: why the server asks to try later, in its words. */
  | { readonly kind: 'retry'; readonly minimumDelayMs: number; readonly reason?: string }
  | { readonly kind: 'ended' }
  | { readonly kind: 'refused'; readonly refusal: Refusal };

const retry = (minimumDelayMs = 0): Verdict => ({ kind: 'retry', minimumDelayMs });
const refused = (code: string, message: string, requestId = ''): Verdict => ({
  kind: 'refused',
  refusal: { code, message, requestId },
});

/** The part of an API error that decides. */
export interface TicketFailure {
  readonly code: string;
  readonly message: string;
  readonly requestId: string;
  readonly details?: { readonly retryAfterSeconds?: number } | undefined;
}

const passing = new Set<string>([
  'network',
  'timeout',
  'internal',
  'unavailable',
  'database_unavailable',
  'rate_limited',
  'storage_full',
  'generation_replaced',
] satisfies (ErrorCode | 'network' | 'timeout')[]);

/** The ticket request is where final reasons come from: a refused WebSocket tells a browser nothing. */
export const judgeTicketFailure = (failure: TicketFailure): Verdict => {
  if (!passing.has(failure.code)) return refused(failure.code, failure.message, failure.requestId);
  return retry((failure.details?.retryAfterSeconds ?? 0) * 1000);
};

/** A close of the WebSocket. Tickets are fresh for every attempt, so one that is refused would be refused again. */
export const judgeClose = (code: number, reason: string): Verdict => {
  switch (code) {
    case closeCodes.processEnded:
      return { kind: 'ended' };
    case closeCodes.gone:
      return refused('gone', reason);
    case closeCodes.refused:
      return refused('refused', reason);
    case closeCodes.ticket:
      return refused('ticket', reason);
    case closeCodes.tryLater:
      return { kind: 'retry', minimumDelayMs: BUSY_DELAY_MS, reason };
    default:
      return retry();
  }
};

/** How many viewers a terminal has and may have, from the reason of a close; null when it names another one. */
export const fullHouse = (reason: string): { readonly viewers: number; readonly limit: number } | null => {
  const [, viewers, limit] = /^(\d+) viewers, the limit is (\d+)$/.exec(reason) ?? [];
  return viewers === undefined || limit === undefined ? null : { viewers: Number(viewers), limit: Number(limit) };
};
