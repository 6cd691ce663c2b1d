import type { RouteDefinition } from '@sac/contracts';
import type { FastifyInstance, FastifyReply, FastifyRequest, RouteOptions } from 'fastify';
import type { AuthenticatedUser, RequestContext } from '../lib/handlers.ts';
import { routeSchema } from './route-schema.ts';

/** `site`: files and pages that anyone may load; `probe`: health checks, which come by address, not by name. */
export type AccessRule = RouteDefinition['access'] | 'site' | 'probe' | 'loopback-or-admin';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Who may call the route; a route without it does not boot. */
    access?: AccessRule;
  }
}

const accessRules: ReadonlySet<unknown> = new Set<AccessRule>([
  'public',
  'user',
  'admin',
  'refresh',
  'site',
  'probe',
  'loopback-or-admin',
]);

/**
 * Deny by default: boot fails for any route, of ours or of a plugin, that does not say who may call it.
 * Checked when everything is registered, because the scope of a plugin speaks after this one.
 */
export const requireAccessRules = (app: FastifyInstance): void => {
  const registered: RouteOptions[] = [];
  app.addHook('onRoute', (options: RouteOptions) => {
    registered.push(options);
  });
  app.addHook('onReady', async () => {
    const undeclared = registered.filter((options) => !accessRules.has(options.config?.access));
    const names = undeclared.map((options) => `${[options.method].flat().join(',')} ${options.url}`);
    if (names.length > 0) throw new Error(`routes without an access rule: ${names.join('; ')}`);
  });
};

/** Plugins that add routes of their own get them declared here, inside their own scope. */
export const declareAccess = (scope: FastifyInstance, access: AccessRule): void => {
  scope.addHook('onRoute', (options: RouteOptions) => {
    options.config = { ...options.config, access: options.config?.access ?? access };
  });
};

/** The account that the authentication hook found, by request. */
const users = new WeakMap<FastifyRequest, AuthenticatedUser>();
export const setUser = (request: FastifyRequest, user: AuthenticatedUser): void => {
  users.set(request, user);
};
export const userOf = (request: FastifyRequest): AuthenticatedUser | undefined => users.get(request);

const needsUser = (definition: RouteDefinition): boolean =>
  definition.access === 'user' || definition.access === 'admin';

const abortSignalOf = (reply: FastifyReply): AbortSignal => {
  const controller = new AbortController();
  reply.raw.once('close', () => {
    if (!reply.raw.writableFinished) controller.abort();
  });
  return controller.signal;
};

type AnyHandler = (context: RequestContext<RouteDefinition>) => Promise<unknown>;

const contextOf = (
  definition: RouteDefinition,
  request: FastifyRequest,
  reply: FastifyReply,
): RequestContext<RouteDefinition> => {
  const user = userOf(request);
  if (needsUser(definition) && user === undefined)
    throw new Error(`no account on ${definition.path}: the authentication hook did not run`);
  // The validator has checked all three against the schemas from which their types are made.
  const parsed = { params: request.params, query: request.query, body: request.body } as unknown as Pick<
    RequestContext<RouteDefinition>,
    'params' | 'query' | 'body'
  >;
  const signal = abortSignalOf(reply);
  return { ...parsed, user, request, reply, ip: request.ip, signal } as RequestContext<RouteDefinition>;
};

const registerRoute = (app: FastifyInstance, definition: RouteDefinition, handle: AnyHandler): void => {
  app.route({
    method: definition.method,
    url: definition.path,
    config: { access: definition.access },
    ...(definition.bodyLimitBytes === undefined ? {} : { bodyLimit: definition.bodyLimitBytes }),
    schema: routeSchema(definition),
    // A request that takes no fields may leave its body out.
    preValidation: async (request) => {
      if (definition.kind !== 'upload' && definition.body !== undefined && request.body === undefined)
        request.body = {};
    },
    handler: async (request, reply) => {
      const answer = await handle(contextOf(definition, request, reply));
      if (definition.kind === 'stream' || reply.sent) return reply;
      return reply.code(definition.status).send(definition.status === 204 ? undefined : answer);
    },
  });
};

/** Registers every contract route; throws when one has no handler or a handler has no route. */
export const registerRoutes = (
  app: FastifyInstance,
  routes: Readonly<Record<string, RouteDefinition>>,
  handlers: Readonly<Record<string, unknown>>,
): void => {
  const missing = Object.keys(routes).filter((name) => typeof handlers[name] !== 'function');
  const unknown = Object.keys(handlers).filter((name) => !Object.hasOwn(routes, name));
  if (missing.length > 0) throw new Error(`routes without a handler: ${missing.join(', ')}`);
  if (unknown.length > 0) throw new Error(`handlers without a route: ${unknown.join(', ')}`);
  for (const [name, definition] of Object.entries(routes)) {
    // Each handler takes the context of its own route; which one is known here only at run time.
    registerRoute(app, definition, handlers[name] as AnyHandler);
  }
};
