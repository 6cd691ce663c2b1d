import { randomBytes } from 'node:crypto';
import type { Server } from 'node:http';
import type { Socket } from 'node:net';
import { Transform } from 'node:stream';
import type { RouteDefinition } from '@sac/contracts';
import cookie from '@fastify/cookie';
import Fastify, { LogController, type FastifyHttpOptions, type FastifyInstance } from 'fastify';
import type { Logger } from 'pino';
import type { GatewayConfig } from '../config/config.ts';
import type { Database } from '../db/database.ts';
import { AppError } from '../lib/app-error.ts';
import { refuse, type Refusal } from '../lib/refusal.ts';
import type { HealthPart } from '../modules/system/health-check.ts';
import { registerAuthHook, type Authenticate } from './auth-hook.ts';
import { limitConnections } from './connection-limit.ts';
import { sendError } from './error-mapper.ts';
import type { GatewayDeps } from './gateway-deps.ts';
import { registerHealth } from './health.ts';
import { Late } from './late.ts';
import { redactUrl } from './logging.ts';
import { registerMetrics, type Metrics } from './metrics.ts';
import { registerApiPage } from './openapi.ts';
import { createOriginCheck } from './origin-check.ts';
import { registerRoutes, requireAccessRules, userOf } from './route-registry.ts';
import { registerSecurityHeaders } from './security-headers.ts';
import { lateSerializers } from './serialization.ts';
import { registerSite } from './site.ts';
import { endUnreadAnswers } from './unread-answers.ts';
import { handleUpgrades } from './upgrade.ts';
import { lateValidators } from './validation.ts';

export const DEFAULT_BODY_LIMIT_BYTES = 256 * 1024;
const HEADERS_TIMEOUT_MS = 15_000;
/** Long enough for the largest upload on a slow line. */
const REQUEST_TIMEOUT_MS = 10 * 60_000;
/** Longer than the idle time of common reverse proxies, so that they, not we, close idle connections. */
const KEEP_ALIVE_TIMEOUT_MS = 75_000;
/** Far more than the pages of an installation have open; per address there is none, for all may come through one proxy. */
const MAX_CONNECTIONS = 16_384;

export interface ServerDeps {
  readonly config: GatewayConfig;
  readonly db: Database;
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly routes: Readonly<Record<string, RouteDefinition>>;
  readonly handlers: Readonly<Record<string, unknown>>;
  readonly authenticate: Authenticate;
  readonly handUpgrade: GatewayDeps['handUpgrade'];
  readonly frontendDir: string | null;
  readonly isDraining: () => boolean;
  readonly healthParts: (() => Promise<HealthPart[]>) | null;
}

const BAD_REQUEST: Refusal = { code: 'invalid_request', message: 'This is not a valid HTTP request.' };

/** What is not even HTTP; `ECONNRESET` and the like leave nobody to answer. */
const answerClientError = (err: NodeJS.ErrnoException, socket: Socket): void => {
  if (err.code === 'ECONNRESET' || !socket.writable) socket.destroy();
  else refuse(socket, BAD_REQUEST);
};

const serverOptions = (deps: ServerDeps, late: Late): FastifyHttpOptions<Server, Logger> => ({
  loggerInstance: deps.logger,
  logController: new LogController({ disableRequestLogging: true }),
  trustProxy: deps.config.trustedProxies.length === 0 ? false : [...deps.config.trustedProxies],
  bodyLimit: DEFAULT_BODY_LIMIT_BYTES,
  requestTimeout: REQUEST_TIMEOUT_MS,
  keepAliveTimeout: KEEP_ALIVE_TIMEOUT_MS,
  forceCloseConnections: 'idle',
  genReqId: () => randomBytes(9).toString('base64url'),
  requestIdHeader: false,
  exposeHeadRoutes: false,
  routerOptions: { maxParamLength: 200 },
  schemaController: { compilersFactory: { buildSerializer: lateSerializers(late) } },
  http: { headersTimeout: HEADERS_TIMEOUT_MS, maxHeaderSize: 16 * 1024 },
  clientErrorHandler: answerClientError,
  frameworkErrors: (err, request, reply) => {
    sendError(err, request, reply);
  },
});

/** Uploads stream to their handler; the limit holds for what arrives, not only for what was announced. */
const acceptUploads = (app: FastifyInstance): void => {
  app.addContentTypeParser('application/octet-stream', (request, payload, done) => {
    const limitBytes = request.routeOptions.bodyLimit ?? DEFAULT_BODY_LIMIT_BYTES;
    const tooLarge = () =>
      new AppError('payload_too_large', `A file may have at most ${Math.floor(limitBytes / 1_048_576)} MiB.`, {
        limitBytes,
      });
    if (Number(request.headers['content-length'] ?? 0) > limitBytes) {
      done(tooLarge());
      return;
    }
    let received = 0;
    const limit = new Transform({
      transform(chunk: Buffer, _encoding, next) {
        received += chunk.length;
        if (received > limitBytes) next(tooLarge());
        else next(null, chunk);
      },
    });
    // Not `pipeline`: it would end the request with its reader, and nobody would take the rest off the connection.
    payload.once('error', (error: Error) => limit.destroy(error));
    limit.on('error', () => undefined); // who reads it hears of it too; perhaps nobody does yet
    limit.once('close', () => {
      payload.unpipe(limit);
      payload.resume();
    });
    done(null, payload.pipe(limit));
  });
  // Whoever refuses an upload leaves it unread, and the next request of the browser comes behind it on the same
  // connection: the rest is read and thrown away.
  app.addHook('onResponse', async ({ body }) => {
    if (body instanceof Transform) body.destroy();
  });
};

/** One line per answer: the route pattern and the path, never the query, which carries tickets and search words. */
const logRequests = (app: FastifyInstance): void => {
  app.addHook('onResponse', async (request, reply) => {
    if (
      request.routeOptions.config.access === 'probe' ||
      (request.routeOptions.config.access === 'site' && reply.statusCode < 400)
    )
      return;
    const facts = {
      method: request.method,
      route: request.routeOptions.url ?? null,
      path: redactUrl(request.url.split('?', 1)[0] ?? '').slice(0, 300),
      status: reply.statusCode,
      durationMs: Math.round(reply.elapsedTime),
      userId: userOf(request)?.id ?? null,
      ip: request.ip,
    };
    request.log.info(facts, 'request answered');
  });
};

/** The HTTP edge: everything that is the same for all routes. Nothing listens yet. */
export const buildServer = async (deps: ServerDeps): Promise<FastifyInstance> => {
  const late = new Late();
  const app = Fastify(serverOptions(deps, late)) as unknown as FastifyInstance;
  app.setValidatorCompiler(lateValidators(late));
  app.addHook('onListen', async () => void late.makeAll());
  app.addHook('onClose', async () => late.end());
  app.setErrorHandler(sendError);
  requireAccessRules(app);
  app.removeContentTypeParser('text/plain');
  acceptUploads(app);
  await registerSecurityHeaders(app, deps.config.publicOrigins);
  await app.register(cookie);
  registerAuthHook(app, { authenticate: deps.authenticate, checkOrigin: createOriginCheck(deps.config.publicOrigins) });
  logRequests(app);
  registerHealth(app, { ...deps, parts: deps.healthParts });
  registerMetrics(app, deps.metrics);
  await registerApiPage(app, deps.config.version, (scope) => registerRoutes(scope, deps.routes, deps.handlers));
  await registerSite(app, deps.frontendDir);
  endUnreadAnswers(app.server);
  limitConnections(app.server, { perAddress: Infinity, total: MAX_CONNECTIONS, listener: 'public' }, deps.logger);
  handleUpgrades(app.server, deps.handUpgrade, deps.logger);
  await app.ready();
  return app;
};
