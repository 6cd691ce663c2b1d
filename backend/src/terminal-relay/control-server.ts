import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { text } from 'node:stream/consumers';
import type { Logger } from 'pino';
import { Compile } from 'typebox/compile';
import { Revocation } from './messages.ts';

export const REVOCATIONS_PATH = '/revocations';
/** A thousand ids of at most 19 digits, with their punctuation. */
const MAX_BODY_BYTES = 32 * 1024;
const REQUEST_TIMEOUT_MS = 5_000;
const RevocationCheck = Compile(Revocation);

const readBody = async (request: IncomingMessage): Promise<unknown> => {
  const sizeBytes = Number(request.headers['content-length'] ?? Number.NaN);
  if (!(sizeBytes <= MAX_BODY_BYTES)) return null;
  return JSON.parse(await text(request)) as unknown;
};

/**
 * The way to a proxy that outlives its parent: a `sac` that is started again has no channel to the proxy before it,
 * whose terminals are open still. Belongs on a unix socket that only the server's own account reaches.
 */
export const createControlServer = (
  revoke: (authSessions: readonly string[]) => void,
  logger: Pick<Logger, 'warn'>,
): Server => {
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const known = request.method === 'POST' && request.url === REVOCATIONS_PATH;
    const body = known ? await readBody(request) : null;
    if (!RevocationCheck.Check(body)) return void response.writeHead(known ? 400 : 404).end();
    revoke(body.authSessions);
    response.writeHead(204).end();
  };
  const server = createServer((request, response) => {
    answer(request, response).catch((err: unknown) => {
      logger.warn({ err }, 'a control request could not be answered');
      response.destroy();
    });
  });
  server.requestTimeout = REQUEST_TIMEOUT_MS;
  server.headersTimeout = REQUEST_TIMEOUT_MS;
  return server;
};
