import type { User } from '@sac/contracts';
import type { UserRow } from '../../db/tables.ts';

/** Column by column, so that a new column never leaves the server by itself. */
export const presentUser = (row: UserRow): User => ({
  id: row.id,
  username: row.username,
  email: row.email,
  displayName: row.display_name,
  role: row.role,
  status: row.status,
  createdAt: row.created_at.toISOString(),
  lastActiveAt: row.last_active_at?.toISOString() ?? null,
});
