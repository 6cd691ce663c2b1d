import type { FastifyInstance } from 'fastify';

const DRAIN_TIMEOUT_MS = 10_000;
const LOOK_EVERY_MS = 50;

/**
 * Takes no new connections and ends when running requests are answered; after `drainTimeoutMs` those that are not are cut.
 * A connection whose answer ends meanwhile would wait for its next request as long as always, hence the looks.
 */
export const closeServer = async (app: FastifyInstance, drainTimeoutMs = DRAIN_TIMEOUT_MS): Promise<void> => {
  const idle = setInterval(() => app.server.closeIdleConnections(), LOOK_EVERY_MS);
  const force = setTimeout(() => app.server.closeAllConnections(), drainTimeoutMs);
  try {
    await app.close();
  } finally {
    clearInterval(idle);
    clearTimeout(force);
  }
};
