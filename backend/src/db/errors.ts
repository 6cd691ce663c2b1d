import pg from 'pg';
import { AppError } from '../lib/app-error.ts';

/** SQLSTATE of a failed statement, or null when the error is not one of the server's. */
const sqlState = (err: unknown): string | null => (err instanceof pg.DatabaseError ? (err.code ?? null) : null);

/** True when `err` is a violation of exactly this unique constraint, named as in the migration. */
export const isUniqueViolation = (err: unknown, constraint: string): boolean =>
  sqlState(err) === '23505' && (err as pg.DatabaseError).constraint === constraint;

/** Two transactions met; running the loser again is the remedy. */
export const isTransient = (err: unknown): boolean => ['40001', '40P01'].includes(sqlState(err) ?? '');

const socketErrors = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'ENOENT',
  'EPIPE',
  'ETIMEDOUT',
  'EHOSTUNREACH',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EACCES',
]);
/** The driver has no codes for these; the texts are those of pg 8.23 and pg-pool. */
const lostConnection =
  /Connection terminated|timeout exceeded when trying to connect|Client has encountered a connection error|Query read timeout|not queryable|Cannot use a pool after calling end/;

const isConnectionLoss = (err: Error): boolean => {
  const state = sqlState(err);
  // 08: connection; 57P: shutdown, crash, starting up; 53300: too many connections.
  if (state !== null) return state.startsWith('08') || state.startsWith('57P') || state === '53300';
  const system = err as NodeJS.ErrnoException;
  return (system.syscall === 'connect' || system.syscall === 'read' || system.syscall === 'write') &&
    socketErrors.has(system.code ?? '')
    ? true
    : lostConnection.test(err.message);
};

/**
 * Turns failures of the database itself into errors a client may read. Null for everything else:
 * constraint violations are answered by the service that knows what they mean.
 */
export const mapDatabaseError = (err: unknown): AppError | null => {
  if (!(err instanceof Error)) return null;
  if (isConnectionLoss(err)) {
    // A commit whose answer was lost may have been made: nothing is promised about it.
    const message =
      'The database does not answer at the moment. Wait a few seconds, and look whether your last change was made.';
    return new AppError('database_unavailable', message, { retryAfterSeconds: 2 }, { cause: err });
  }
  switch (sqlState(err)) {
    case '53100':
      return new AppError(
        'storage_full',
        'The disk of the database is full. Free space on the server, then try again.',
        undefined,
        { cause: err },
      );
    // NUL in text, and numbers beyond their column: nothing a schema can always catch, and never a fault of ours.
    case '22021':
    case '22P05':
      return new AppError(
        'invalid_request',
        'The request holds characters that cannot be stored, such as NUL.',
        undefined,
        { cause: err },
      );
    case '22003':
      return new AppError('invalid_request', 'The request holds a number that is too large.', undefined, {
        cause: err,
      });
    case '57014':
      return new AppError(
        'unavailable',
        'The database took too long to answer. Try again.',
        { retryAfterSeconds: 5 },
        { cause: err },
      );
    case '40001':
    case '40P01':
      return new AppError(
        'unavailable',
        'Too many changes of the same thing at once. Try again.',
        { retryAfterSeconds: 1 },
        { cause: err },
      );
    default:
      return null;
  }
};
