import type { DatabaseOrTransaction } from '../../db/database.ts';

/** Id of the newest event of a user, `0` before the first. */
export const newestEventId = async (db: DatabaseOrTransaction, userId: string): Promise<string> => {
  const row = await db
    .selectFrom('outbox')
    .select('id')
    .where('user_id', '=', userId)
    .orderBy('id', 'desc')
    .limit(1)
    .executeTakeFirst();
  return row?.id ?? '0';
};
