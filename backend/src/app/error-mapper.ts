import { errorTable, type ErrorCode, type ErrorEnvelope } from '@sac/contracts';
import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify';
import { mapDatabaseError } from '../db/errors.ts';
import { AppError } from '../lib/app-error.ts';

const internal = (cause: unknown): AppError =>
  new AppError(
    'internal',
    'Something went wrong on the server. The request id helps the operator to find out what.',
    undefined,
    { cause },
  );

/** Fastify's own refusals, by code; texts are ours because some of Fastify's quote the request. */
const fastifyErrors: Record<string, readonly [ErrorCode, string]> = {
  FST_ERR_CTP_INVALID_JSON_BODY: ['invalid_request', 'The body is not valid JSON.'],
  FST_ERR_CTP_EMPTY_JSON_BODY: ['invalid_request', 'The body is empty, JSON is expected.'],
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: ['invalid_request', 'The body is not as long as Content-Length says.'],
  FST_ERR_CTP_INVALID_MEDIA_TYPE: ['unsupported_media_type', 'The body must be sent as application/json.'],
  FST_ERR_BAD_URL: ['invalid_request', 'The address is not a valid URL.'],
  FST_ERR_MAX_PARAM_LENGTH: ['not_found', 'There is nothing at this address.'],
  // Ways out of the site's folder, and dot files in it.
  FST_STATIC_FORBIDDEN_PATH: ['not_found', 'There is nothing at this address.'],
  FST_ERR_ASYNC_CONSTRAINT: ['not_found', 'There is nothing at this address.'],
};

const formatBytes = (bytes: number): string =>
  bytes >= 1_048_576 ? `${Math.round(bytes / 104_857.6) / 10} MiB` : `${Math.round(bytes / 1024)} KiB`;

const tooLarge = (request: FastifyRequest): AppError => {
  const limitBytes = request.routeOptions.bodyLimit ?? 0;
  const sent = request.headers['content-length'];
  const size = sent === undefined ? '' : `; this one has ${formatBytes(Number(sent))}`;
  return new AppError('payload_too_large', `The body may have at most ${formatBytes(limitBytes)}${size}.`, {
    limitBytes,
  });
};

/** Whatever was thrown, as the one class that may be shown. */
export const toAppError = (err: unknown, request: FastifyRequest): AppError => {
  if (err instanceof AppError) return err;
  const database = mapDatabaseError(err);
  if (database !== null) return database;
  const { code, statusCode } = (err instanceof Error ? err : {}) as Partial<FastifyError>;
  if (code === 'FST_ERR_CTP_BODY_TOO_LARGE') return tooLarge(request);
  const known = code === undefined ? undefined : fastifyErrors[code];
  if (known !== undefined) return new AppError(known[0], known[1], undefined, { cause: err });
  // Broken JSON and `__proto__` in it arrive as a SyntaxError with a status.
  if (err instanceof SyntaxError && statusCode === 400)
    return new AppError('invalid_request', 'The body is not valid JSON.', undefined, { cause: err });
  return internal(err);
};

export const envelopeOf = (error: AppError, requestId: string): ErrorEnvelope => ({
  code: error.code,
  message: error.message,
  requestId,
  ...(error.details === undefined ? {} : { details: error.details }),
});

/** The only way in which a failure leaves the server. Server faults are logged once, here. */
export const sendError = (err: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply => {
  const error = toAppError(err, request);
  const { httpStatus } = errorTable[error.code];
  if (httpStatus >= 500)
    request.log.error(
      { err: error.code === 'internal' ? (error.cause ?? error) : error, errorCode: error.code },
      'request failed',
    );
  else request.log.debug({ errorCode: error.code }, 'request refused');
  const retryAfter = error.details?.retryAfterSeconds;
  if (retryAfter !== undefined) reply.header('retry-after', String(retryAfter));
  if (error.code === 'unauthenticated') reply.header('www-authenticate', 'Bearer');
  return (
    reply
      .code(httpStatus)
      .header('content-type', 'application/json; charset=utf-8')
      .header('cache-control', 'no-store')
      // Said here as well: for a broken address no hook runs.
      .header('x-request-id', request.id)
      .serializer((payload: unknown) => JSON.stringify(payload))
      .send(envelopeOf(error, request.id))
  );
};
