import type { User } from '@sac/contracts';
import type { ColumnType, Generated, GeneratedAlways, Insertable, Selectable } from 'kysely';
import type { AgentTables } from './agent-tables.ts';

/**
 * Column types as the driver delivers them: int8 as decimal strings, timestamptz as Date, jsonb parsed.
 * `tables.test.ts` compares the column lists with the migrated schema.
 */

/** int8: read as string; written as string or number. */
export type Int8 = ColumnType<string, string | number, string | number>;
type Identity = GeneratedAlways<string>;
/** timestamptz with a DEFAULT. */
export type DefaultTimestamp = Generated<Date>;

export interface UsersTable {
  id: Identity;
  username: string;
  email: string | null;
  display_name: string;
  /** bcrypt; null for accounts without a password. */
  password_hash: string | null;
  role: User['role'];
  status: Generated<User['status']>;
  /** Part of every access token: growing it ends all of them. */
  token_version: Generated<number>;
  created_at: DefaultTimestamp;
  updated_at: DefaultTimestamp;
  last_active_at: Date | null;
}

/** One row per browser session; the refresh token's counter moves within it. */
export interface AuthSessionsTable {
  id: Identity;
  user_id: Int8;
  /** SHA-256 of the family half of the refresh token. */
  family_hash: Buffer;
  refresh_counter: Generated<number>;
  rotated_at: DefaultTimestamp;
  user_agent: string;
  ip: string;
  created_at: DefaultTimestamp;
  last_used_at: DefaultTimestamp;
  expires_at: Date;
  revoked_at: Date | null;
  revoked_reason: string | null;
}

/** Single-use links: `invite` for a new account, `admin` for the first or a locked-out admin. */
export interface InvitesTable {
  id: Identity;
  kind: 'invite' | 'admin';
  secret_hash: Buffer;
  email: string | null;
  role: User['role'];
  invited_by: Int8 | null;
  created_at: DefaultTimestamp;
  expires_at: Date;
  used_at: Date | null;
  used_by: Int8 | null;
}

export interface SystemSettingsTable {
  key: string;
  /** JSON text in, parsed value out. */
  value: ColumnType<unknown, string, string>;
  updated_at: DefaultTimestamp;
  updated_by: Int8 | null;
}

/** What is different for one account. */
export interface UserSettingsTable {
  user_id: Int8;
  key: string;
  /** JSON text in, parsed value out. */
  value: ColumnType<unknown, string, string>;
  updated_at: DefaultTimestamp;
  updated_by: Int8 | null;
}

/** Events to deliver to one user's browsers; kept for replay, then deleted by age. */
export interface OutboxTable {
  id: Identity;
  user_id: Int8;
  event: ColumnType<unknown, string, never>;
  created_at: DefaultTimestamp;
  bytes: ColumnType<number, never, never>;
}

export interface AuditLogTable {
  id: Identity;
  at: DefaultTimestamp;
  actor_id: Int8 | null;
  action: string;
  target_type: string | null;
  target_id: string | null;
  ip: string | null;
  request_id: string | null;
  details: ColumnType<unknown, string, never>;
}

export interface AccountTables {
  users: UsersTable;
  auth_sessions: AuthSessionsTable;
  invites: InvitesTable;
  system_settings: SystemSettingsTable;
  user_settings: UserSettingsTable;
  outbox: OutboxTable;
  audit_log: AuditLogTable;
}

export interface Tables extends AccountTables, AgentTables {}

export type UserRow = Selectable<UsersTable>;
export type NewUser = Insertable<UsersTable>;
export type AuthSessionRow = Selectable<AuthSessionsTable>;
export type InviteRow = Selectable<InvitesTable>;
