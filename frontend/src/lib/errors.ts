import { ApiError } from '../api/api-error.ts';
import { i18n } from '../locales/index.ts';

type Translate = (key: string, values?: Record<string, unknown>) => string;

/** What a page says about a failure: a sentence in its own language and, where that is not the server's, the server's words. */
export interface Words {
  readonly message: string;
  /** In the language of the server; empty when `message` says it all. */
  readonly detail: string;
}

export interface DescribedError extends Words {
  /** Empty when the server was not reached or the failure is the page's own. */
  readonly requestId: string;
}

/**
 * The server speaks English, and its sentence knows the limit and the value: a page in English shows that. A page in another language
 * says what the code means and keeps the sentence as detail. `key` names the meaning; codes of a newer server have none here.
 */
export const wordsFor = (said: string, key: string, t: Translate): Words => {
  const known = i18n.global.te(key);
  if (!known || (said !== '' && i18n.global.locale.value === 'en')) return { message: said, detail: '' };
  return { message: t(key), detail: said };
};

/** What the server says, with problems of fields that its sentence does not name. */
const saidBy = ({ message, fields }: ApiError): string => {
  const more = fields
    .filter((field) => !message.includes(field.message))
    .map((field) => (field.path ? `${field.path.slice(1)}: ${field.message}` : field.message));
  return [message, ...more].join(' ');
};

/** Words for any failure. */
export const describeError = (error: unknown, t: Translate): DescribedError => {
  if (!(error instanceof ApiError)) {
    const reason = error instanceof Error ? error.message : String(error);
    return { message: t('errors.page', { reason }), detail: '', requestId: '' };
  }
  if (error.code === 'network' || error.code === 'timeout')
    return { message: t(`errors.${error.code}`), detail: '', requestId: '' };
  // Without an answer of the server the words are the page's own.
  const words =
    error.status === 0
      ? { message: error.message, detail: '' }
      : wordsFor(saidBy(error), `errors.code.${error.code}`, t);
  const retry = error.details?.retryAfterSeconds;
  return {
    message: retry === undefined ? words.message : `${words.message} ${t('errors.retryAfter', { n: retry })}`,
    detail: words.detail,
    // What was typed is wrong, and nobody has to look that up.
    requestId: error.code === 'invalid_credentials' ? '' : error.requestId,
  };
};

/** The same in one line, for where there is room for no more. */
export const errorLine = (error: unknown, t: Translate): string => {
  const { message, detail } = describeError(error, t);
  return detail === '' ? message : `${message} (${detail})`;
};

/** True for the abort of a call whose answer nobody needs any more. */
export const isAbort = (error: unknown): boolean => error instanceof DOMException && error.name === 'AbortError';
