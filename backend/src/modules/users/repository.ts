import { sql } from 'kysely';
import type { DatabaseOrTransaction } from '../../db/database.ts';
import type { UserRow } from '../../db/tables.ts';

export interface Page {
  readonly search: string;
  /** Exclusive; the user name after which the page begins. */
  readonly after: string | null;
  readonly limit: number;
}

/** `%` and `_` typed by a person mean themselves. */
const likePattern = (text: string): string =>
  `%${text.replaceAll('\\', '\\\\').replaceAll('%', '\\%').replaceAll('_', '\\_')}%`;

const matching = (db: DatabaseOrTransaction, search: string) => {
  const all = db.selectFrom('users');
  if (search === '') return all;
  const pattern = likePattern(search);
  return all.where((eb) =>
    eb.or([eb('username', 'ilike', pattern), eb('email', 'ilike', pattern), eb('display_name', 'ilike', pattern)]),
  );
};

export const listUsers = (db: DatabaseOrTransaction, page: Page): Promise<(UserRow & { agent_count: string })[]> => {
  const query = matching(db, page.search)
    .selectAll('users')
    .select((eb) =>
      eb
        .selectFrom('agents')
        .whereRef('agents.owner_id', '=', 'users.id')
        .where('agents.deleted_at', 'is', null)
        .select((count) => count.fn.countAll<string>().as('count'))
        .as('agent_count'),
    )
    .orderBy('username')
    .limit(page.limit);
  const from = page.after === null ? query : query.where('username', '>', page.after);
  // A count is never null; the subquery's type does not know.
  return from.execute() as Promise<(UserRow & { agent_count: string })[]>;
};

export const countUsers = async (db: DatabaseOrTransaction, search: string): Promise<number> =>
  Number(
    (
      await matching(db, search)
        .select((eb) => eb.fn.countAll<string>().as('count'))
        .executeTakeFirstOrThrow()
    ).count,
  );

/**
 * Locks all active admins in one order, so that two admins who demote each other at once are handled one
 * after the other. Returns their ids.
 */
export const lockActiveAdmins = async (db: DatabaseOrTransaction): Promise<string[]> => {
  const rows = await db
    .selectFrom('users')
    .select('id')
    .where('role', '=', 'admin')
    .where('status', '=', 'active')
    .orderBy('id')
    .forUpdate()
    .execute();
  return rows.map((row) => row.id);
};

export const lockUser = (db: DatabaseOrTransaction, id: string): Promise<UserRow | undefined> =>
  db.selectFrom('users').selectAll().where('id', '=', id).forUpdate().executeTakeFirst();

export const updateUser = (
  db: DatabaseOrTransaction,
  id: string,
  change: { readonly role?: UserRow['role']; readonly status?: UserRow['status'] },
): Promise<UserRow> =>
  db
    .updateTable('users')
    .set({ ...change, updated_at: sql<Date>`now()` })
    .where('id', '=', id)
    .returningAll()
    .executeTakeFirstOrThrow();
