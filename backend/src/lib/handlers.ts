import type { BodyOf, ParamsOf, QueryOf, ResponseOf, RouteDefinition, RouteName, Routes, User } from '@sac/contracts';
import type { FastifyReply, FastifyRequest } from 'fastify';

/** Who is calling, as the database said at the start of this request. */
export interface AuthenticatedUser {
  readonly id: string;
  readonly username: string;
  readonly role: User['role'];
  readonly authSessionId: string;
  /** When the access token ends; long streams must not outlive it. */
  readonly tokenExpiresAt: Date;
}

export interface RequestContext<R extends RouteDefinition> {
  readonly params: ParamsOf<R>;
  readonly query: QueryOf<R>;
  readonly body: BodyOf<R>;
  /** Only on routes with access `user` or `admin`; the registry guarantees it there. */
  readonly user: R['access'] extends 'user' | 'admin' ? AuthenticatedUser : undefined;
  readonly request: FastifyRequest;
  readonly reply: FastifyReply;
  /** Address of the client behind the trusted proxies. */
  readonly ip: string;
  /** Aborts when the client has gone away before the answer was complete. */
  readonly signal: AbortSignal;
}

type Answer<R extends RouteDefinition> = ResponseOf<R> extends undefined ? void : ResponseOf<R>;

/** Returns the body of the success status; 204 and streams return nothing. Failures are thrown as AppError. */
export type Handler<R extends RouteDefinition> = (context: RequestContext<R>) => Promise<Answer<R>>;

/** One handler per contract route: a missing one does not compile, and boot checks it again. */
export type Handlers = { readonly [N in RouteName]: Handler<Routes[N]> };
