import { sql } from 'kysely';
import type { DatabaseOrTransaction } from './database.ts';

/** The database's clock, epoch milliseconds: the one that all replicas share, whatever their machines say. */
export const readClock = async (db: DatabaseOrTransaction): Promise<number> => {
  const { rows } = await sql<{ nowMs: number }>`
    select (extract(epoch from clock_timestamp()) * 1000)::float8 as "nowMs"`.execute(db);
  const [row] = rows;
  if (row === undefined) throw new Error('The database did not say what time it is.');
  return row.nowMs;
};
