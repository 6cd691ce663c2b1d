import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import type { Logger } from 'pino';
import { connectionSettings } from '../db/database.ts';
import { missingMigrations } from '../db/migrate.ts';

const RETRY_MS = 1_000;

/** The database did not become usable in time; the message says why and what to do. */
export class DatabaseNotReady extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'DatabaseNotReady';
  }
}

const problemOf = async (url: string, migrationsDir: string | null): Promise<Error | null> => {
  const client = new pg.Client(connectionSettings({ url, applicationName: 'sac start' }));
  client.on('error', () => undefined);
  try {
    await client.connect();
    const missing = migrationsDir === null ? [] : await missingMigrations(client, migrationsDir);
    return missing.length === 0 ? null : new Error(`its schema lacks ${missing.join(', ')}; run migrate`);
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  } finally {
    await client.end().catch(() => undefined);
  }
};

/**
 * Resolves when the database answers and, with `migrationsDir`, has this version's schema: in a cluster it may start at
 * the same time as we do. Throws `DatabaseNotReady` after `waitMs`.
 */
export const waitForDatabase = async (options: {
  readonly url: string;
  /** Null: an empty database will do. */
  readonly migrationsDir: string | null;
  readonly waitMs: number;
  readonly logger: Pick<Logger, 'info'>;
}): Promise<void> => {
  const deadlineMs = performance.now() + options.waitMs;
  let last = '';
  for (;;) {
    const problem = await problemOf(options.url, options.migrationsDir);
    if (problem === null) return;
    if (performance.now() >= deadlineMs) {
      const message = `The database was not ready within ${options.waitMs / 1000} s (SAC_DATABASE_WAIT_SECONDS): ${problem.message}.`;
      throw new DatabaseNotReady(message, { cause: problem });
    }
    if (problem.message !== last) options.logger.info({ reason: problem.message }, 'waiting for the database');
    last = problem.message;
    await sleep(RETRY_MS);
  }
};
