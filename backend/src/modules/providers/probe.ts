import type { ConnectionTest, ProviderProtocol, ProxySettings } from '@sac/contracts';
import type { AddressCheck } from './address-rules.ts';
import { MAX_ANSWER_BYTES, safeFetch, type BoundedAnswer } from './safe-fetch.ts';

export interface ProbeTarget {
  readonly protocol: ProviderProtocol;
  readonly baseUrl: string;
  readonly token: string | null;
  /** Configured names, without repetition. */
  readonly models: readonly string[];
  readonly proxy: ProxySettings;
  /** Where this server connects to. */
  readonly check: AddressCheck;
}

type Result = Omit<ConnectionTest, 'durationMs'>;

const ANTHROPIC_VERSION = '2023-06-01';

const at = (baseUrl: string, path: string): URL => new URL(`${baseUrl.replace(/\/+$/, '')}${path}`);

/** As the CLIs do it: Claude Code sends its token as Bearer. */
const authorization = ({ protocol, token }: ProbeTarget): Record<string, string> => {
  if (token === null) return {};
  return protocol === 'gemini' ? { 'x-goog-api-key': token } : { authorization: `Bearer ${token}` };
};

const headersOf = (target: ProbeTarget): Record<string, string> => ({
  ...authorization(target),
  ...(target.protocol === 'anthropic' && { 'anthropic-version': ANTHROPIC_VERSION }),
});

const listPath: Record<ProviderProtocol, string> = {
  anthropic: '/v1/models?limit=1000',
  'openai-responses': '/models',
  gemini: '/v1beta/models?pageSize=1000',
};

const isRecord = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null;

const parseJson = (text: string): unknown => {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
};

/** Names in a list of models; null when the answer is no such list. */
const modelNames = (json: unknown): string[] | null => {
  if (!isRecord(json)) return null;
  const list = json['data'] ?? json['models'];
  if (!Array.isArray(list)) return null;
  return list.flatMap((entry: unknown) => {
    if (!isRecord(entry)) return [];
    const name = entry['id'] ?? entry['name'];
    return typeof name === 'string' ? [name.replace(/^models\//, '')] : [];
  });
};

/** What the provider itself says is wrong, one line, bounded. It is shown to the person who gave the address. */
const ownWords = (answer: BoundedAnswer): string => {
  const json = parseJson(answer.text);
  const error = isRecord(json) ? json['error'] : undefined;
  const message = isRecord(error) ? error['message'] : isRecord(json) ? (json['message'] ?? error) : undefined;
  if (typeof message !== 'string' || message.trim() === '') return '';
  return ` It says: "${message
    .replace(/[\p{Cc}\u2028-\u202e\u2066-\u2069]+/gu, ' ')
    .trim()
    .slice(0, 200)}"`;
};

const failed = (message: string): Result => ({ ok: false, message, unknownModels: [] });

const looksLikeHtml = ({ contentType, text }: BoundedAnswer): boolean =>
  contentType.includes('text/html') || /^\s*<(!doctype|html)/i.test(text);

/** Problems any endpoint can have; null when the answer has to be read by its protocol. */
const explainStatus = (answer: BoundedAnswer, url: URL): Result | null => {
  const { status } = answer;
  if (status >= 300 && status < 400) {
    const target = answer.location === null ? null : URL.parse(answer.location, url.href);
    return failed(
      `${url.host} redirects${target ? ` to ${target.origin}` : ''}. Enter the final address as base URL; redirects are not followed, because they would carry the token along.`,
    );
  }
  if (status === 401 || status === 403)
    return failed(
      `The provider refuses the token (status ${status}). Check that it is complete, active and made for this provider.${ownWords(answer)}`,
    );
  if (status === 407)
    return failed('The proxy asks for a user name and password (status 407). Put them into the proxy address.');
  if (looksLikeHtml(answer))
    return failed(
      `${url.host} answers with a web page instead of JSON (status ${status}). The base URL is probably that of a web site or console, not of the API.`,
    );
  if (status === 402)
    return failed(`The provider asks for payment (status 402): the account has no credit.${ownWords(answer)}`);
  if (status === 429)
    return failed(
      `The provider accepts the connection and limits requests now (status 429). Try again later.${ownWords(answer)}`,
    );
  if (status >= 500)
    return failed(`The provider has a problem of its own (status ${status}). Try again later.${ownWords(answer)}`);
  return null;
};

const withModels = (target: ProbeTarget, known: readonly string[] | null): Result => {
  const unknownModels =
    known === null || known.length === 0 ? [] : target.models.filter((name) => !known.includes(name));
  if (unknownModels.length === 0)
    return { ok: true, message: 'The provider answers and accepts the token.', unknownModels };
  return {
    ok: true,
    message: `The provider answers and accepts the token, but its list of models does not have ${unknownModels.join(', ')}. Some providers accept names they do not list.`,
    unknownModels,
  };
};

const postTo = (
  target: ProbeTarget,
  signal: AbortSignal,
  body: object,
): { url: URL; answer: Promise<BoundedAnswer> } => {
  const url = at(target.baseUrl, target.protocol === 'anthropic' ? '/v1/messages' : '/responses');
  const headers = { ...headersOf(target), 'content-type': 'application/json' };
  return {
    url,
    answer: safeFetch({
      method: 'POST',
      url,
      headers,
      body: JSON.stringify(body),
      proxy: target.proxy,
      check: target.check,
      signal,
    }),
  };
};

const notJson = (url: URL, { truncated }: BoundedAnswer): Result =>
  failed(
    truncated
      ? `${url.host} answers with more than ${MAX_ANSWER_BYTES / 1024 / 1024} MiB; the rest was not read. Check the base URL.`
      : `${url.host} does not answer with JSON. Check the base URL.`,
  );

/** One token of output: the cheapest question that goes through authentication, address and model name. */
const askOneToken = async (target: ProbeTarget, model: string, signal: AbortSignal): Promise<Result> => {
  const anthropic = { model, max_tokens: 1, messages: [{ role: 'user', content: 'hi' }] };
  const { url, answer: pending } = postTo(
    target,
    signal,
    target.protocol === 'anthropic' ? anthropic : { model, max_output_tokens: 16, input: 'hi' },
  );
  const answer = await pending;
  const problem = explainStatus(answer, url);
  if (problem) return problem;
  if (answer.status === 404) {
    return failed(
      `${url.host} does not know ${url.pathname}, or not the model ${model} (status 404). Check base URL and model name.${ownWords(answer)}`,
    );
  }
  if (answer.status >= 400)
    return failed(`The provider refuses a request for ${model} (status ${answer.status}).${ownWords(answer)}`);
  if (!isRecord(parseJson(answer.text))) return notJson(url, answer);
  return { ok: true, message: `The provider answers and accepts the token; ${model} works.`, unknownModels: [] };
};

/** Without a model name: an empty question costs nothing, and is refused for its emptiness only by those who accept the token. */
const askNothing = async (target: ProbeTarget, signal: AbortSignal): Promise<Result> => {
  const { url, answer: pending } = postTo(target, signal, {});
  const answer = await pending;
  const problem = explainStatus(answer, url);
  if (problem) return problem;
  if (answer.status === 404)
    return failed(
      `${url.host} does not know ${url.pathname} (status 404). The base URL is probably wrong.${ownWords(answer)}`,
    );
  if (!isRecord(parseJson(answer.text))) return notJson(url, answer);
  return {
    ok: true,
    message: 'The provider answers and accepts the token. No model name is set, so none was tried.',
    unknownModels: [],
  };
};

const ask = (target: ProbeTarget, signal: AbortSignal): Promise<Result> => {
  const [model] = target.models;
  return model === undefined ? askNothing(target, signal) : askOneToken(target, model, signal);
};

/** Some providers show their list of models to everybody; it then says nothing about the token. */
const listIsPublic = async (target: ProbeTarget, url: URL, signal: AbortSignal): Promise<boolean> => {
  if (target.token === null) return false;
  const answer = await safeFetch({
    method: 'GET',
    url,
    headers: headersOf({ ...target, token: null }),
    proxy: target.proxy,
    check: target.check,
    signal,
  });
  return answer.status === 200 && modelNames(parseJson(answer.text)) !== null;
};

const NO_LIST_STATUSES = [400, 404, 405, 501];

/** Asks the provider's cheapest endpoint. Throws what the network throws. */
export const probe = async (target: ProbeTarget, signal: AbortSignal): Promise<Result> => {
  const url = at(target.baseUrl, listPath[target.protocol]);
  const answer = await safeFetch({
    method: 'GET',
    url,
    headers: headersOf(target),
    proxy: target.proxy,
    check: target.check,
    signal,
  });
  const known = answer.status === 200 ? modelNames(parseJson(answer.text)) : null;
  if (known) {
    const listed = withModels(target, known);
    if (target.protocol === 'gemini' || !(await listIsPublic(target, url, signal))) return listed;
    const asked = await ask(target, signal);
    return asked.ok && listed.unknownModels.length > 0 ? listed : asked;
  }
  // Google answers a wrong key with 400.
  if (answer.status === 400 && target.protocol === 'gemini')
    return failed(`The provider refuses the token (status 400).${ownWords(answer)}`);
  // Compatible servers often have no list of models; some answer unknown paths with a page.
  const noList = NO_LIST_STATUSES.includes(answer.status) || (answer.status === 200 && !looksLikeHtml(answer));
  if (noList && target.protocol !== 'gemini') {
    return ask(target, signal);
  }
  return (
    explainStatus(answer, url) ??
    failed(
      `${url.host} does not know ${url.pathname} (status ${answer.status}). The base URL is probably wrong.${ownWords(answer)}`,
    )
  );
};
