import type { ErrorCode, ErrorEnvelope } from '@sac/contracts';

export type ErrorDetails = NonNullable<ErrorEnvelope['details']>;

/**
 * A failure that a client is meant to read: `message` and `details` leave the server as they are, so
 * they never carry secrets or text of other systems. Everything that is not an AppError answers `internal`.
 */
export class AppError extends Error {
  readonly code: ErrorCode;
  readonly details: ErrorDetails | undefined;

  constructor(code: ErrorCode, message: string, details?: ErrorDetails, options?: ErrorOptions) {
    super(message, options);
    this.name = 'AppError';
    this.code = code;
    this.details = details;
  }
}

/** An object that is not there, or that the caller may not see: the answer is the same for both. */
export const notFound = (what: string): AppError => new AppError('not_found', `${what} does not exist.`);

/** A field the schema accepts and a rule refuses; `path` is a JSON pointer into the body. */
export const invalidField = (path: string, message: string): AppError =>
  new AppError('invalid_request', message, { fields: [{ path, message }] });
