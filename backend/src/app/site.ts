import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import fastifyStatic from '@fastify/static';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { AppError } from '../lib/app-error.ts';
import { sendError } from './error-mapper.ts';
import { declareAccess } from './route-registry.ts';

const YEAR_SECONDS = 31_536_000;
/** Addresses that belong to programs: a page there would hide a wrong address behind status 200. */
const programPaths = /^\/(api|ws|internal|health|metrics)(\/|$|\?)/;

const isPage = (request: FastifyRequest): boolean =>
  (request.method === 'GET' || request.method === 'HEAD') &&
  !programPaths.test(request.url) &&
  // A missing script or picture is missing, not a page.
  !/\.[a-z0-9]{1,8}(\?|$)/i.test(request.url) &&
  (request.headers.accept ?? '*/*').split(',').some((type) => /^\s*(text\/html|\*\/\*)/.test(type));

/** Built browser files, and the page itself for every address that the browser's router knows. */
export const registerSite = async (app: FastifyInstance, frontendDir: string | null): Promise<void> => {
  app.setNotFoundHandler(async (request, reply) => {
    if (frontendDir === null || !isPage(request)) {
      return sendError(new AppError('not_found', 'There is nothing at this address.'), request, reply);
    }
    // Read anew each time: it is small, and a build replaces it while the server runs.
    const page = await readFile(join(frontendDir, 'index.html'));
    return reply.code(200).header('cache-control', 'no-cache').type('text/html; charset=utf-8').send(page);
  });
  if (frontendDir === null) return;
  await app.register(async (scope) => {
    declareAccess(scope, 'site');
    await scope.register(fastifyStatic, {
      root: frontendDir,
      preCompressed: true,
      cacheControl: false,
      index: ['index.html'],
      setHeaders: (reply, path) => {
        // Names in assets/ hold a digest of their content; everything else may change with the next version.
        const immutable = path.startsWith(join(frontendDir, 'assets'));
        reply.header('cache-control', immutable ? `public, max-age=${YEAR_SECONDS}, immutable` : 'no-cache');
      },
    });
  });
};
