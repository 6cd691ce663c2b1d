import type { Static, TSchema } from 'typebox';
import type { ErrorCode } from './errors.ts';

/**
 * Who may call a route. `public`: anyone; `user`: a signed-in active account; `admin`: role admin;
 * `refresh`: the refresh cookie plus its secret. Ownership of a named object is checked by the service.
 */
export type Access = 'public' | 'user' | 'admin' | 'refresh';

export interface RouteDefinition {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** Fastify path, e.g. `/api/agents/:agentId`. */
  readonly path: string;
  readonly access: Access;
  /** One sentence for the API page. */
  readonly summary: string;
  readonly tag: string;
  readonly params?: TSchema;
  readonly query?: TSchema;
  readonly body?: TSchema;
  /** Status of success; 204 has no body. */
  readonly status: 200 | 201 | 202 | 204;
  readonly response?: TSchema;
  /** Codes beyond the general ones (invalid_request, unauthenticated, rate_limited, internal, database_unavailable). */
  readonly errors?: readonly ErrorCode[];
  /** Body limit in bytes when it differs from the server's default. */
  readonly bodyLimitBytes?: number;
  /** `stream`: server-sent events; `upload`: the raw body is a file. */
  readonly kind?: 'stream' | 'upload';
}

export const route = <const R extends RouteDefinition>(definition: R): R => definition;

type StaticOr<R, K extends keyof R, Otherwise> = R[K] extends TSchema ? Static<R[K]> : Otherwise;

export type ParamsOf<R extends RouteDefinition> = StaticOr<R, 'params', undefined>;
export type QueryOf<R extends RouteDefinition> = StaticOr<R, 'query', undefined>;
export type BodyOf<R extends RouteDefinition> = StaticOr<R, 'body', undefined>;
export type ResponseOf<R extends RouteDefinition> = StaticOr<R, 'response', undefined>;
