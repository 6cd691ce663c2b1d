import { ApiError } from '../api/api-error.ts';

type Translate = (key: string, values?: Record<string, unknown>) => string;

export interface DescribedError {
  readonly message: string;
  /** Empty when the server was not reached or the failure is the page's own. */
  readonly requestId: string;
}

/** Words for any failure. The server's own sentence wins: it knows the limit and the value. */
export const describeError = (error: unknown, t: Translate): DescribedError => {
  if (!(error instanceof ApiError)) {
    return {
      message: t('errors.page', { reason: error instanceof Error ? error.message : String(error) }),
      requestId: '',
    };
  }
  if (error.code === 'network' || error.code === 'timeout')
    return { message: t(`errors.${error.code}`), requestId: '' };
  const problems = error.fields.map((field) =>
    field.path ? `${field.path.slice(1)}: ${field.message}` : field.message,
  );
  const retry = error.details?.retryAfterSeconds;
  const parts = [error.message, ...problems, ...(retry === undefined ? [] : [t('errors.retryAfter', { n: retry })])];
  // What was typed is wrong, and nobody has to look that up.
  return { message: parts.join(' '), requestId: error.code === 'invalid_credentials' ? '' : error.requestId };
};

/** True for the abort of a call whose answer nobody needs any more. */
export const isAbort = (error: unknown): boolean => error instanceof DOMException && error.name === 'AbortError';
