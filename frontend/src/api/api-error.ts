import { isErrorCode, type ErrorCode, type ErrorEnvelope, type FieldProblem } from '@sac/contracts';

/** `network`: no answer came; `timeout`: none came in time. Everything else is the server's word. */
export type ApiErrorCode = ErrorCode | 'network' | 'timeout';

/** Every failure of a call. `message` is one sentence for a person, in the server's words where it spoke. */
export class ApiError extends Error {
  readonly code: ApiErrorCode;
  /** Id to quote to an admin; empty when the server was not reached. */
  readonly requestId: string;
  readonly details: ErrorEnvelope['details'];
  /** HTTP status; 0 when there was no answer. */
  readonly status: number;

  constructor(init: {
    code: ApiErrorCode;
    message: string;
    requestId?: string;
    details?: ErrorEnvelope['details'];
    status?: number;
    cause?: unknown;
  }) {
    super(init.message, { cause: init.cause });
    this.name = 'ApiError';
    this.code = init.code;
    this.requestId = init.requestId ?? '';
    this.details = init.details;
    this.status = init.status ?? 0;
  }

  /** Problem of one field of the request body, by its JSON pointer without the slash: `name`, `provider/baseUrl`. */
  fieldProblem(field: string): string | undefined {
    return this.fields.find((problem) => problem.path === `/${field}`)?.message;
  }

  get fields(): readonly FieldProblem[] {
    return this.details?.fields ?? [];
  }
}

const isEnvelope = (value: unknown): value is ErrorEnvelope =>
  typeof value === 'object' &&
  value !== null &&
  'code' in value &&
  isErrorCode(value.code) &&
  'message' in value &&
  typeof value.message === 'string';

/** The error of a response that is not a success; also when a proxy in between answered HTML. */
export const errorOfResponse = async (response: Response): Promise<ApiError> => {
  const requestId = response.headers.get('x-request-id') ?? '';
  const body: unknown = await response.json().catch(() => null);
  if (isEnvelope(body)) {
    return new ApiError({
      code: body.code,
      message: body.message,
      requestId: body.requestId,
      details: body.details,
      status: response.status,
    });
  }
  const code: ApiErrorCode =
    response.status === 401 ? 'unauthenticated' : response.status >= 500 ? 'unavailable' : 'internal';
  return new ApiError({
    code,
    message: `The server answered ${response.status} without saying why.`,
    requestId,
    status: response.status,
  });
};

/** An abort by the caller stays an abort; everything else that is not an answer is `network` or `timeout`. */
export const errorOfFailure = (cause: unknown): unknown => {
  if (cause instanceof ApiError) return cause;
  if (cause instanceof DOMException && cause.name === 'AbortError') return cause;
  if (cause instanceof DOMException && cause.name === 'TimeoutError') {
    return new ApiError({ code: 'timeout', message: 'The server did not answer in time. Try again.', cause });
  }
  return new ApiError({
    code: 'network',
    message: 'The server cannot be reached. Check the connection, then try again.',
    cause,
  });
};
