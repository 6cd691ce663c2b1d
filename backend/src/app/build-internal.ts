import { randomBytes } from 'node:crypto';
import Fastify, { LogController, type FastifyInstance } from 'fastify';
import type { Logger } from 'pino';
import { AppError } from '../lib/app-error.ts';
import { sendError } from './error-mapper.ts';
import { DEFAULT_BODY_LIMIT_BYTES } from './build-server.ts';

/**
 * The listener for sandboxes: an instance of its own, so that nothing of it can be reached through the
 * public one, and the other way round. Each part checks the credential of its own callers, in a scope of its own.
 */
export const buildInternalServer = async (
  logger: Logger,
  parts: readonly ((scope: FastifyInstance) => void)[],
): Promise<FastifyInstance> => {
  const app = Fastify({
    loggerInstance: logger,
    logController: new LogController({ disableRequestLogging: true }),
    bodyLimit: DEFAULT_BODY_LIMIT_BYTES,
    forceCloseConnections: 'idle',
    exposeHeadRoutes: false,
    requestIdHeader: false,
    genReqId: () => randomBytes(9).toString('base64url'),
    frameworkErrors: (err, request, reply) => {
      sendError(err, request, reply);
    },
  }) as unknown as FastifyInstance;
  app.setErrorHandler(sendError);
  app.setNotFoundHandler((request, reply) =>
    sendError(new AppError('not_found', 'There is nothing at this address.'), request, reply),
  );
  for (const register of parts) await app.register(async (scope) => register(scope));
  await app.ready();
  return app;
};
