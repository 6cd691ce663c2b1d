import type { ResponseOf, User, userRoutes } from '@sac/contracts';
import type { Database } from '../../db/database.ts';
import { inTransaction } from '../../db/transaction.ts';
import { AppError, invalidField, notFound } from '../../lib/app-error.ts';
import { AGENTS_CHANNEL, ALL_AGENTS, notify } from '../agents/channels.ts';
import { recordAudit, type Origin } from '../audit/record.ts';
import type { LinksService } from '../auth/links.ts';
import type { SessionsService } from '../auth/sessions.ts';
import { publishEvent } from '../events/publish.ts';
import { presentUser } from './presenter.ts';
import * as repository from './repository.ts';

type UserPage = ResponseOf<(typeof userRoutes)['listUsers']>;

export interface UserChange {
  readonly status?: User['status'];
  readonly role?: User['role'];
}

export interface UsersService {
  list(query: { readonly search?: string; readonly cursor?: string; readonly limit?: number }): Promise<UserPage>;
  update(userId: string, change: UserChange, actor: { readonly id: string }, origin: Origin): Promise<User>;
}

const DEFAULT_PAGE_SIZE = 50;

const encodeCursor = (username: string): string => Buffer.from(username, 'utf8').toString('base64url');

/** Cursors are opaque to clients, but they travel through them. */
const decodeCursor = (cursor: string): string => {
  const username = Buffer.from(cursor, 'base64url').toString('utf8');
  if (!/^[A-Za-z0-9._-]{1,64}$/.test(username)) throw invalidField('/cursor', 'is not a cursor of this list.');
  return username;
};

export const createUsersService = ({
  db,
  sessions,
  links,
}: {
  readonly db: Database;
  readonly sessions: SessionsService;
  readonly links: Pick<LinksService, 'withdrawInvitesOf'>;
}): UsersService => {
  const list: UsersService['list'] = async (query) => {
    const limit = query.limit ?? DEFAULT_PAGE_SIZE;
    const search = (query.search ?? '').trim();
    const after = query.cursor === undefined ? null : decodeCursor(query.cursor);
    const [rows, total] = await Promise.all([
      // One more than asked for tells whether there is a next page.
      repository.listUsers(db, { search, after, limit: limit + 1 }),
      repository.countUsers(db, search),
    ]);
    const page = rows.slice(0, limit);
    const last = page.at(-1);
    return {
      users: page.map((row) => ({ ...presentUser(row), agentCount: Number(row.agent_count) })),
      nextCursor: rows.length > limit && last !== undefined ? encodeCursor(last.username) : null,
      total,
    };
  };

  const update: UsersService['update'] = (userId, change, actor, origin) =>
    inTransaction(db, async (trx) => {
      const admins = await repository.lockActiveAdmins(trx);
      const before = await repository.lockUser(trx, userId);
      if (before === undefined) throw notFound('This account');
      const role = change.role ?? before.role;
      const status = change.status ?? before.status;
      const staysAdmin = role === 'admin' && status === 'active';
      if (!staysAdmin && admins.every((id) => id === userId) && admins.length > 0) {
        throw new AppError('last_admin', 'This is the last active admin. Make somebody else admin first.');
      }
      if (role === before.role && status === before.status) return presentUser(before);

      const user = presentUser(await repository.updateUser(trx, userId, { role, status }));
      // Agents of a disabled account end; what an account may run can depend on its role.
      await notify(trx, AGENTS_CHANNEL, ALL_AGENTS);
      const losesRights =
        (before.role === 'admin' && role !== 'admin') || (before.status === 'active' && status !== 'active');
      if (losesRights) await sessions.revokeAll(trx, userId, 'account_changed');
      if (losesRights && before.role === 'admin') await links.withdrawInvitesOf(trx, userId);
      const target = { type: 'user', id: userId };
      const details = { roleBefore: before.role, role, statusBefore: before.status, status };
      await recordAudit(trx, { action: 'user.changed', actorId: actor.id, target, details, origin });
      await publishEvent(trx, { userId }, { type: 'account', user });
      return user;
    });

  return { list, update };
};
