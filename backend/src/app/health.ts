import { sql } from 'kysely';
import type { FastifyInstance } from 'fastify';
import type { Database } from '../db/database.ts';
import type { HealthPart } from '../modules/system/health-check.ts';

const CHECK_TIMEOUT_MS = 2_000;

/** True when the database answers within two seconds. */
export const isDatabaseReachable = async (db: Database): Promise<boolean> => {
  const timeout = Promise.withResolvers<boolean>();
  const timer = setTimeout(() => timeout.resolve(false), CHECK_TIMEOUT_MS);
  try {
    const asked = sql`select 1`.execute(db).then(
      () => true,
      () => false,
    );
    return await Promise.race([asked, timeout.promise]);
  } finally {
    clearTimeout(timer);
  }
};

/**
 * `/health/live`: the process answers. `/health/ready`: it can serve, and is not about to end. `/health/parts`: what
 * admins are told, also for whoever operates the pod, and while no database can say who is an admin.
 */
export const registerHealth = (
  app: FastifyInstance,
  options: {
    readonly db: Database;
    readonly isDraining: () => boolean;
    /** Null where agents reach the loopback address too. */
    readonly parts: (() => Promise<HealthPart[]>) | null;
  },
): void => {
  const route = { config: { access: 'probe' as const }, schema: { hide: true } };
  app.get('/health/live', route, async () => ({ status: 'ok' }));
  app.get('/health/ready', route, async (_request, reply) => {
    if (options.isDraining()) return reply.code(503).send({ status: 'draining' });
    if (await isDatabaseReachable(options.db)) return { status: 'ok' };
    return reply.code(503).send({ status: 'unavailable', reason: 'database' });
  });
  const { parts } = options;
  if (parts === null) return;
  const local = { config: { access: 'loopback-or-admin' as const }, schema: { hide: true } };
  app.get('/health/parts', local, async () => ({ parts: await parts() }));
};
