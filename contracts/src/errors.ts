/**
 * Every failure a client can meet. One table maps code -> HTTP status -> WebSocket close code; the
 * `satisfies` clause keeps it exhaustive. Messages are written where the error is raised.
 */
export interface ErrorMapping {
  readonly httpStatus: number;
  readonly closeCode: number;
}

export const errorTable = {
  invalid_request: { httpStatus: 400, closeCode: 1008 },
  unauthenticated: { httpStatus: 401, closeCode: 4001 },
  invalid_credentials: { httpStatus: 401, closeCode: 4001 },
  ticket_invalid: { httpStatus: 401, closeCode: 4001 },
  forbidden: { httpStatus: 403, closeCode: 1008 },
  origin_not_allowed: { httpStatus: 403, closeCode: 1008 },
  registration_closed: { httpStatus: 403, closeCode: 1008 },
  account_disabled: { httpStatus: 403, closeCode: 1008 },
  isolation_unavailable: { httpStatus: 403, closeCode: 1008 },
  not_found: { httpStatus: 404, closeCode: 4004 },
  link_invalid: { httpStatus: 404, closeCode: 4004 },
  conflict: { httpStatus: 409, closeCode: 1008 },
  name_taken: { httpStatus: 409, closeCode: 1008 },
  asleep: { httpStatus: 409, closeCode: 4004 },
  not_ready: { httpStatus: 409, closeCode: 1013 },
  generation_replaced: { httpStatus: 409, closeCode: 4010 },
  limit_reached: { httpStatus: 409, closeCode: 1008 },
  last_admin: { httpStatus: 409, closeCode: 1008 },
  payload_too_large: { httpStatus: 413, closeCode: 1009 },
  unsupported_media_type: { httpStatus: 415, closeCode: 1008 },
  rate_limited: { httpStatus: 429, closeCode: 1013 },
  provider_unreachable: { httpStatus: 502, closeCode: 1011 },
  internal: { httpStatus: 500, closeCode: 1011 },
  unavailable: { httpStatus: 503, closeCode: 1013 },
  database_unavailable: { httpStatus: 503, closeCode: 1013 },
  storage_full: { httpStatus: 507, closeCode: 1013 },
} as const satisfies Record<string, ErrorMapping>;

export type ErrorCode = keyof typeof errorTable;

export const errorCodes = Object.keys(errorTable) as ErrorCode[];

export const isErrorCode = (value: unknown): value is ErrorCode =>
  typeof value === 'string' && Object.hasOwn(errorTable, value);

/** What went wrong with one field of a request. `path` is a JSON pointer, empty for the whole body. */
export interface FieldProblem {
  readonly path: string;
  readonly message: string;
}

/** The only shape in which a failure leaves the server. */
export interface ErrorEnvelope {
  readonly code: ErrorCode;
  /** One sentence for a person: what happened and what to do. */
  readonly message: string;
  readonly requestId: string;
  readonly details?: {
    readonly fields?: readonly FieldProblem[];
    /** Seconds until a retry makes sense; also sent as Retry-After. */
    readonly retryAfterSeconds?: number;
    readonly [key: string]: unknown;
  };
}

/** WebSocket close codes of the terminal path. Applications own 4000..4999. */
export const closeCodes = {
  processEnded: 1000,
  goingAway: 1012,
  refused: 1008,
  frameTooBig: 1009,
  tryLater: 1013,
  ticket: 4001,
  gone: 4004,
  generationReplaced: 4010,
} as const;
