import { randomBytes } from 'node:crypto';
import Fastify, { LogController, type FastifyInstance } from 'fastify';
import type { Logger } from 'pino';
import { AppError } from '../lib/app-error.ts';
import { createRateLimiter } from '../lib/rate-limiter.ts';
import { limitConnections, type ConnectionLimits } from './connection-limit.ts';
import { sendError } from './error-mapper.ts';
import { DEFAULT_BODY_LIMIT_BYTES } from './build-server.ts';

export interface InternalLimits extends ConnectionLimits {
  /** From a connection, or the first byte of its next request, to the end of the head. */
  readonly headersTimeoutMs: number;
  /** To the end of the request's body; answers, the streams, last as long as they do. */
  readonly requestTimeoutMs: number;
}

/**
 * Any sandbox may open connections here before it shows a credential. A sidecar holds two or three, a proxy and a replica a
 * few more; the limit of an address leaves room for clusters in which a node hides all its pods behind its own.
 */
const LIMITS: InternalLimits = {
  perAddress: 256,
  total: 8_192,
  listener: 'internal',
  headersTimeoutMs: 10_000,
  requestTimeoutMs: 30_000,
};
/** Far above what sandboxes send that have just been replaced or deleted. */
const FAILURES_PER_ADDRESS = 300;
const FAILURES_WINDOW_MS = 60_000;

/**
 * A sandbox may ask without a valid credential, or for what is not there, as fast as it can: each failure costs it the
 * connection, and too many of them all further requests of its address for a while. By the whole address: pods of a
 * node share their IPv6 /64.
 */
const limitFailures = (app: FastifyInstance): void => {
  const failures = createRateLimiter({ limit: FAILURES_PER_ADDRESS, windowMs: FAILURES_WINDOW_MS });
  app.addHook('onRequest', async (request) => {
    const address = request.raw.socket.remoteAddress;
    if (address === undefined) return; // a Unix socket
    failures.take(address);
    failures.giveBack(address); // counted only once it has failed
  });
  app.addHook('onSend', async ({ is404, raw: { socket } }, reply) => {
    const hasFailed = reply.statusCode === 401 || is404;
    if (hasFailed && socket.remoteAddress !== undefined) failures.tryTake(socket.remoteAddress);
    if (hasFailed || reply.statusCode === 429) reply.header('connection', 'close');
  });
};

/**
 * The listener for sandboxes: an instance of its own, so that nothing of it can be reached through the
 * public one, and the other way round. Each part checks the credential of its own callers, in a scope of its own.
 */
export const buildInternalServer = async (
  logger: Logger,
  parts: readonly ((scope: FastifyInstance) => void)[],
  limits: InternalLimits = LIMITS,
): Promise<FastifyInstance> => {
  const app = Fastify({
    loggerInstance: logger,
    logController: new LogController({ disableRequestLogging: true }),
    bodyLimit: DEFAULT_BODY_LIMIT_BYTES,
    requestTimeout: limits.requestTimeoutMs,
    http: {
      headersTimeout: limits.headersTimeoutMs,
      // Node looks at its connections this often only; its default would make 10 s of silence 40.
      connectionsCheckingInterval: limits.headersTimeoutMs / 5,
      maxHeaderSize: 16 * 1024,
    },
    forceCloseConnections: 'idle',
    exposeHeadRoutes: false,
    requestIdHeader: false,
    genReqId: () => randomBytes(9).toString('base64url'),
    frameworkErrors: (err, request, reply) => {
      sendError(err, request, reply);
    },
  }) as unknown as FastifyInstance;
  limitConnections(app.server, limits, logger);
  limitFailures(app);
  app.setErrorHandler(sendError);
  app.setNotFoundHandler((request, reply) =>
    sendError(new AppError('not_found', 'There is nothing at this address.'), request, reply),
  );
  for (const register of parts) await app.register(async (scope) => register(scope));
  await app.ready();
  return app;
};
