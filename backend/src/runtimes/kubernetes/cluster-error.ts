/** What the API server says about a request it did not carry out (`Status`). Of it only what is safe to show. */
interface ApiStatus {
  readonly message: string;
  readonly reason: string;
  readonly retryAfterSeconds: number | null;
}

const MAX_MESSAGE_CHARACTERS = 1_000;

const statusOf = (body: string): ApiStatus => {
  let value: unknown;
  try {
    value = JSON.parse(body);
  } catch {
    return { message: body.trim(), reason: '', retryAfterSeconds: null };
  }
  if (typeof value !== 'object' || value === null) return { message: '', reason: '', retryAfterSeconds: null };
  const { message, reason, details } = value as Readonly<Record<string, unknown>>;
  const seconds =
    typeof details === 'object' && details !== null ? (details as Record<string, unknown>)['retryAfterSeconds'] : null;
  return {
    message: typeof message === 'string' ? message : '',
    reason: typeof reason === 'string' ? reason : '',
    retryAfterSeconds: typeof seconds === 'number' && seconds > 0 && seconds <= 60 ? seconds : null,
  };
};

export interface ClusterRequest {
  readonly method: string;
  /** Path without its query. */
  readonly path: string;
}

/** The API server refused a request, or did not answer. Its message never holds a body or a header that was sent. */
export class ClusterError extends Error {
  /** HTTP status; null when there was no answer. */
  readonly status: number | null;
  /** Kubernetes' word for it, such as `Forbidden`; empty when it said none. */
  readonly reason: string;
  readonly request: ClusterRequest;
  readonly retryAfterMs: number | null;

  private constructor(request: ClusterRequest, status: number | null, said: ApiStatus) {
    super(said.message.slice(0, MAX_MESSAGE_CHARACTERS));
    this.name = 'ClusterError';
    this.request = request;
    this.status = status;
    this.reason = said.reason;
    this.retryAfterMs = said.retryAfterSeconds === null ? null : said.retryAfterSeconds * 1_000;
  }

  static refused(request: ClusterRequest, status: number, body: string): ClusterError {
    const said = statusOf(body);
    return new ClusterError(request, status, {
      ...said,
      message: said.message === '' ? `HTTP ${status}` : said.message,
    });
  }

  static unanswered(request: ClusterRequest, cause: unknown): ClusterError {
    const why = cause instanceof Error ? cause.message : String(cause);
    const inner = cause instanceof Error && cause.cause instanceof Error ? `: ${cause.cause.message}` : '';
    return new ClusterError(request, null, { message: `${why}${inner}`, reason: '', retryAfterSeconds: null });
  }

  get isNotFound(): boolean {
    return this.status === 404;
  }

  /** Whether the same request may succeed a little later without anybody doing anything. */
  get isTransient(): boolean {
    return this.status === null || this.status === 409 || this.status === 429 || this.status >= 500;
  }
}
