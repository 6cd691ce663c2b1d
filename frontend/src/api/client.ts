import {
  REFRESH_SECRET_HEADER,
  routes,
  type BodyOf,
  type ParamsOf,
  type QueryOf,
  type ResponseOf,
  type RouteDefinition,
  type RouteName,
  type Routes,
} from '@sac/contracts';
import { ApiError, errorOfFailure, errorOfResponse } from './api-error.ts';
import { browserLock } from './browser-lock.ts';
import { Credentials } from './credentials.ts';

type Part<K extends string, T> = [T] extends [undefined]
  ? { readonly [P in K]?: undefined }
  : Record<never, never> extends T
    ? { readonly [P in K]?: T }
    : { readonly [P in K]: T };

/** Path parameters, query and body of a route; only the parts it declares, each required unless it may be empty. */
export type CallInput<R extends RouteDefinition> = Part<'params', ParamsOf<R>> &
  Part<'query', QueryOf<R>> &
  Part<'body', BodyOf<R>>;

export interface CallOptions {
  readonly signal?: AbortSignal;
  /** Default 30 s. */
  readonly timeoutMs?: number;
}

type CallArguments<R extends RouteDefinition> =
  Record<never, never> extends CallInput<R>
    ? [input?: CallInput<R>, options?: CallOptions]
    : [input: CallInput<R>, options?: CallOptions];

const defaultTimeoutMs = 30_000;

interface LooseInput {
  readonly params?: Readonly<Record<string, string>> | undefined;
  readonly query?: Readonly<Record<string, string | number | boolean | undefined>> | undefined;
  readonly body?: unknown;
}

/** Path and query of a call, relative to the origin. */
export const urlOf = (definition: RouteDefinition, input: LooseInput): string => {
  const path = definition.path.replace(/:([A-Za-z]+)/g, (_match, name: string) => {
    const value = input.params?.[name];
    if (value === undefined) throw new TypeError(`${definition.path} needs the parameter ${name}`);
    return encodeURIComponent(value);
  });
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(input.query ?? {})) {
    if (value !== undefined) query.set(name, String(value));
  }
  return query.size > 0 ? `${path}?${query}` : path;
};

const send = async (
  definition: RouteDefinition,
  input: LooseInput,
  headers: Headers,
  options: CallOptions,
): Promise<Response> => {
  const timeout = AbortSignal.timeout(options.timeoutMs ?? defaultTimeoutMs);
  const body = definition.body ? JSON.stringify(input.body ?? {}) : null;
  if (body !== null) headers.set('content-type', 'application/json');
  const response = await fetch(urlOf(definition, input), {
    method: definition.method,
    headers,
    body,
    credentials: 'same-origin',
    cache: 'no-store',
    signal: options.signal ? AbortSignal.any([options.signal, timeout]) : timeout,
  });
  if (!response.ok) throw await errorOfResponse(response);
  return response;
};

const refreshSession = async (secret: string) => {
  const headers = new Headers({ [REFRESH_SECRET_HEADER]: secret });
  try {
    const response = await send(routes.refresh, {}, headers, {});
    return (await response.json()) as ResponseOf<Routes['refresh']>;
  } catch (error) {
    throw errorOfFailure(error);
  }
};

export const credentials = new Credentials({
  lock: browserLock,
  storage: localStorage,
  channel: new BroadcastChannel('sac.account'),
  requestRefresh: refreshSession,
});

/** Runs `attempt` with a token; once more with a fresh one when the server no longer takes the first. */
export const withToken = async <T>(attempt: (token: string) => Promise<T>): Promise<T> => {
  const token = await credentials.token();
  try {
    return await attempt(token);
  } catch (error) {
    // invalid_credentials is a 401 too, but about a password in the body; a new token changes nothing there.
    if (!(error instanceof ApiError && error.status === 401 && error.code === 'unauthenticated')) throw error;
  }
  return attempt((await credentials.refresh(token)).token);
};

const bearer = (token: string): Headers => new Headers({ authorization: `Bearer ${token}` });

const respond = async (definition: RouteDefinition, input: LooseInput, options: CallOptions): Promise<Response> => {
  if (definition.access === 'public') return send(definition, input, new Headers(), options);
  if (definition.access === 'refresh') {
    return send(definition, input, new Headers({ [REFRESH_SECRET_HEADER]: credentials.refreshSecret ?? '' }), options);
  }
  return withToken((token) => send(definition, input, bearer(token), options));
};

/**
 * Calls a route of the contract. Rejects with ApiError, or with the caller's AbortError.
 * Streams and uploads have their own functions.
 */
const call = async <N extends RouteName>(
  name: N,
  ...[input, options]: CallArguments<Routes[N]>
): Promise<ResponseOf<Routes[N]>> => {
  const definition: RouteDefinition = routes[name];
  try {
    const response = await respond(definition, (input ?? {}) as LooseInput, options ?? {});
    return (definition.response ? await response.json() : undefined) as ResponseOf<Routes[N]>;
  } catch (error) {
    throw errorOfFailure(error);
  }
};

export const api = { call } as const;
export type Api = typeof api;
