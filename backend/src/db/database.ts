import { Kysely, PostgresDialect, type Transaction } from 'kysely';
import pg from 'pg';
import type { Logger } from 'pino';
import type { Tables } from './tables.ts';

export type Database = Kysely<Tables>;
/** What repository methods take: the pool, or a transaction, which they then really use. */
export type DatabaseOrTransaction = Kysely<Tables> | Transaction<Tables>;

export interface DatabaseOptions {
  /** `postgresql://user:password@host:5432/name`, or `postgresql:///name?host=/socket/dir&user=name`. */
  readonly url: string;
  readonly logger: Pick<Logger, 'warn'>;
  readonly maxConnections?: number;
  readonly applicationName?: string;
}

/** A statement that runs longer is a fault of ours or a dying server; the request must not hang with it. */
const STATEMENT_TIMEOUT_MS = 15_000;
const CONNECT_TIMEOUT_MS = 5_000;
const IDLE_TRANSACTION_TIMEOUT_MS = 30_000;

/** Settings of every connection, pooled or not. int8 stays text: JavaScript numbers end at 2^53. */
export const connectionSettings = (options: Pick<DatabaseOptions, 'url' | 'applicationName'>): pg.ClientConfig => ({
  connectionString: options.url,
  application_name: options.applicationName ?? 'sac',
  connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
  keepAlive: true,
});

/**
 * A pool that outlives its server: a killed PostgreSQL fails the requests of that moment with
 * `database_unavailable`, and the next ones connect again. Ended with `db.destroy()`.
 */
export const createDatabase = (options: DatabaseOptions): Database => {
  const pool = new pg.Pool({
    ...connectionSettings(options),
    max: options.maxConnections ?? 10,
    idleTimeoutMillis: 60_000,
    statement_timeout: STATEMENT_TIMEOUT_MS,
    // One second later than the server's own limit: only a server that does not answer at all reaches it.
    query_timeout: STATEMENT_TIMEOUT_MS + 1_000,
    idle_in_transaction_session_timeout: IDLE_TRANSACTION_TIMEOUT_MS,
  });
  const onLost = (err: Error): void => {
    options.logger.warn({ err }, 'database connection lost');
  };
  // Without listeners a connection that dies ends the process: the pool listens only to idle ones, so those that are
  // taken but between two statements need their own.
  pool.on('error', onLost);
  pool.on('connect', (client) => client.on('error', onLost));
  return new Kysely<Tables>({ dialect: new PostgresDialect({ pool }) });
};
