import { REFRESH_SECRET_HEADER } from '@sac/contracts';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { AppError } from '../lib/app-error.ts';
import type { AuthenticatedUser } from '../lib/handlers.ts';
import { addressKey, createRateLimiter } from '../lib/rate-limiter.ts';
import { setUser, type AccessRule } from './route-registry.ts';

export type Authenticate = (accessToken: string) => Promise<AuthenticatedUser>;

const MINUTE_MS = 60_000;
/** Far above what people and their pages do; a script gone wild is slowed before it costs more than a lookup. */
const REQUESTS_PER_ADDRESS = 6_000;
const REQUESTS_PER_ACCOUNT = 3_000;
/** Of those, what changes something: each leaves rows and events in the database of all. What is refused leaves none. */
const WRITES_PER_ACCOUNT = 1_200;

const bearerOf = (request: FastifyRequest): string => {
  const match = /^Bearer ([A-Za-z0-9._~+/=-]+)$/i.exec(request.headers.authorization ?? '');
  if (match?.[1] === undefined)
    throw new AppError('unauthenticated', 'Sign in first: the request carries no access token.');
  return match[1];
};

const loopbackAddresses = new Set(['127.0.0.1', '::1', '::ffff:127.0.0.1']);

const loopbackHost = /^(localhost|127(\.\d{1,3}){3}|\[::1\])(:\d{1,5})?$/i;

/**
 * Really from this machine. A proxy on it forwards strangers from the same address and says so in a header; a page of
 * another site whose name was pointed at this machine (DNS rebinding) comes from a browser here, with that name as host.
 */
const isLocal = (request: FastifyRequest): boolean =>
  loopbackHost.test(request.headers.host ?? '') &&
  loopbackAddresses.has(request.raw.socket.remoteAddress ?? '') &&
  request.headers['x-forwarded-for'] === undefined &&
  request.headers.forwarded === undefined;

const requireAdmin = (user: AuthenticatedUser): void => {
  if (user.role !== 'admin') throw new AppError('forbidden', 'Only admins may do this.');
};

interface Options {
  readonly authenticate: Authenticate;
  readonly checkOrigin: (request: FastifyRequest) => void;
}

/** Runs before every handler and before any body is read. What no rule allows is refused. */
export const registerAuthHook = (app: FastifyInstance, { authenticate, checkOrigin }: Options): void => {
  const perAddress = createRateLimiter({ limit: REQUESTS_PER_ADDRESS, windowMs: MINUTE_MS });
  const perAccount = createRateLimiter({ limit: REQUESTS_PER_ACCOUNT, windowMs: MINUTE_MS });
  const writers = new WeakMap<FastifyRequest, string>();
  const writesPerAccount = createRateLimiter({ limit: WRITES_PER_ACCOUNT, windowMs: MINUTE_MS });

  const signedIn = async (request: FastifyRequest): Promise<AuthenticatedUser> => {
    const user = await authenticate(bearerOf(request));
    perAccount.take(user.id);
    if (request.method !== 'GET') {
      writesPerAccount.take(user.id);
      writers.set(request, user.id);
    }
    setUser(request, user);
    return user;
  };

  const enforce = async (rule: AccessRule, request: FastifyRequest): Promise<void> => {
    switch (rule) {
      case 'public':
      case 'site':
      case 'probe':
        return;
      case 'refresh':
        if (request.headers[REFRESH_SECRET_HEADER] === undefined)
          throw new AppError('unauthenticated', 'This browser is signed out. Sign in again.');
        return;
      case 'user':
        await signedIn(request);
        return;
      case 'admin':
        requireAdmin(await signedIn(request));
        return;
      case 'loopback-or-admin':
        if (!isLocal(request)) requireAdmin(await signedIn(request));
    }
  };

  app.addHook('onResponse', async (request, reply) => {
    const writer = writers.get(request);
    if (writer !== undefined && reply.statusCode >= 400) writesPerAccount.giveBack(writer);
  });

  app.addHook('onRequest', async (request) => {
    const rule = request.routeOptions.config.access;
    // Addresses without a route: the not-found handler answers, and no account is needed to learn that.
    if (request.is404) {
      checkOrigin(request);
      return;
    }
    if (rule === undefined) throw new Error(`route ${request.routeOptions.url ?? request.url} has no access rule`);
    if (rule !== 'probe') {
      perAddress.take(addressKey(request.ip));
      if (rule !== 'loopback-or-admin') checkOrigin(request);
    }
    await enforce(rule, request);
  });
};
