import type { Transaction } from 'kysely';
import type { Database } from './database.ts';
import { isTransient } from './errors.ts';
import type { Tables } from './tables.ts';

const MAX_ATTEMPTS = 3;

/**
 * Runs `work` in one transaction and again, at most twice, when PostgreSQL ended it as a deadlock or
 * serialization failure. So `work` does nothing but SQL: no network, no files, no password hashing.
 */
export const inTransaction = async <T>(db: Database, work: (trx: Transaction<Tables>) => Promise<T>): Promise<T> => {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await db.transaction().execute(work);
    } catch (err) {
      if (attempt === MAX_ATTEMPTS || !isTransient(err)) throw err;
    }
  }
};
