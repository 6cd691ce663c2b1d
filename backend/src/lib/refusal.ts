import { randomUUID } from 'node:crypto';
import { STATUS_CODES } from 'node:http';
import type { Writable } from 'node:stream';
import { errorTable, type ErrorCode, type ErrorEnvelope } from '@sac/contracts';

/** Why a handshake is not answered with 101. The message is for a person and holds no secret. */
export interface Refusal {
  readonly code: ErrorCode;
  readonly message: string;
  readonly retryAfterSeconds?: number;
}

export class RefusedError extends Error {
  readonly refusal: Refusal;

  constructor(refusal: Refusal, options?: ErrorOptions) {
    super(refusal.message, options);
    this.name = 'RefusedError';
    this.refusal = refusal;
  }
}

/** Complete HTTP/1.1 answer with the common error body. */
const refusalResponse = (refusal: Refusal, requestId: string = randomUUID()): string => {
  const { code, message, retryAfterSeconds } = refusal;
  const envelope: ErrorEnvelope = {
    code,
    message,
    requestId,
    ...(retryAfterSeconds === undefined ? {} : { details: { retryAfterSeconds } }),
  };
  const body = JSON.stringify(envelope);
  const status = errorTable[code].httpStatus;
  const headers = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? 'Error'}`,
    'Connection: close',
    'Content-Type: application/json; charset=utf-8',
    'Cache-Control: no-store',
    'X-Content-Type-Options: nosniff',
    `X-Request-Id: ${requestId}`,
    `Content-Length: ${Buffer.byteLength(body)}`,
    ...(retryAfterSeconds === undefined ? [] : [`Retry-After: ${retryAfterSeconds}`]),
  ];
  return `${headers.join('\r\n')}\r\n\r\n${body}`;
};

/** Long enough to hand a short answer to a slow client, short enough that a client that reads nothing holds nothing. */
const ANSWER_TIMEOUT_MS = 2_000;

/** Answers and ends the socket; the socket is gone after two seconds whatever the client does. */
export const refuse = (socket: Writable, refusal: Refusal, requestId?: string): void => {
  if (socket.destroyed) return;
  socket.end(refusalResponse(refusal, requestId));
  const timer = setTimeout(() => socket.destroy(), ANSWER_TIMEOUT_MS);
  timer.unref();
  socket.once('close', () => clearTimeout(timer));
  // An answer is complete when it is flushed; what else the client sends is of no interest.
  socket.once('finish', () => setImmediate(() => socket.destroy()));
};
