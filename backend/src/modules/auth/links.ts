import type { Invite, User } from '@sac/contracts';
import type { Database, DatabaseOrTransaction } from '../../db/database.ts';
import { inTransaction } from '../../db/transaction.ts';
import { AppError, notFound } from '../../lib/app-error.ts';
import { hashSecret, randomSecret } from '../../lib/secrets.ts';
import { recordAudit, type Origin } from '../audit/record.ts';
import * as linkRepository from './link-repository.ts';
import * as repository from './repository.ts';

export const ADMIN_LINK_TTL_MS = 24 * 3_600_000;
const MAX_OPEN_INVITES = 1_000;

export const linkInvalid = (): AppError =>
  new AppError('link_invalid', 'This link was used already, has expired or was withdrawn. Ask for a new one.');

/**
 * Makes the single-use link that creates an admin: the first one, or a further one when all are locked
 * out. The one before it stops working. The browser opens `<origin>/welcome#<secret>`; whoever can call
 * this owns the server, so it asks for nothing.
 */
export const createAdminLink = async (
  db: Database,
  options: { readonly ttlMs?: number } = {},
): Promise<{ readonly secret: string; readonly expiresAt: Date }> => {
  const secret = randomSecret();
  const expiresAt = new Date(Date.now() + (options.ttlMs ?? ADMIN_LINK_TTL_MS));
  await inTransaction(db, async (trx) => {
    await linkRepository.deleteUnusedAdminLinks(trx);
    const link = {
      kind: 'admin',
      secret_hash: hashSecret(secret),
      email: null,
      role: 'admin',
      invited_by: null,
      expires_at: expiresAt,
    } as const;
    await linkRepository.insertLink(trx, link);
    await recordAudit(trx, { action: 'auth.admin_link_created', actorId: null, origin: null });
  });
  return { secret, expiresAt };
};

/** False until somebody has redeemed a first-admin link, and again when no admin is active any more. */
export const isAdminThere = (db: Database): Promise<boolean> => repository.hasActiveAdmin(db);

export interface NewInvite {
  readonly email: string | null;
  readonly role: User['role'];
  readonly expiresInHours: number;
}

export interface LinksService {
  check(
    kind: 'admin' | 'invite',
    secret: string,
  ): Promise<{ expiresAt: string; invitedBy: string | null; email: string | null }>;
  listInvites(): Promise<Invite[]>;
  createInvite(
    invite: NewInvite,
    actor: { readonly id: string },
    origin: Origin,
  ): Promise<{ invite: Invite; secret: string }>;
  /** Withdraws what a person invited; for one who is no admin any more, and could come back through them. */
  withdrawInvitesOf(trx: DatabaseOrTransaction, userId: string): Promise<void>;
  deleteInvite(id: string, actor: { readonly id: string }, origin: Origin): Promise<void>;
}

type InviteWithInviter = Awaited<ReturnType<typeof linkRepository.listInvites>>[number];

const presentInvite = (row: InviteWithInviter): Invite => ({
  id: row.id,
  email: row.email,
  role: row.role,
  invitedBy: row.inviter ?? '',
  createdAt: row.created_at.toISOString(),
  expiresAt: row.expires_at.toISOString(),
});

export const createLinksService = ({ db }: { readonly db: Database }): LinksService => ({
  async check(kind, secret) {
    const link = await linkRepository.findUsableLink(db, kind, hashSecret(secret));
    if (link === undefined) throw linkInvalid();
    return { expiresAt: link.expires_at.toISOString(), invitedBy: link.inviter, email: link.email };
  },

  async listInvites() {
    return (await linkRepository.listInvites(db)).map(presentInvite);
  },

  async createInvite({ email, role, expiresInHours }, actor, origin) {
    const secret = randomSecret();
    const row = await inTransaction(db, async (trx) => {
      const open = await linkRepository.countInvites(trx);
      if (open >= MAX_OPEN_INVITES) {
        throw new AppError(
          'limit_reached',
          `There are ${open} open invites, the most there may be. Withdraw some first.`,
        );
      }
      const expiresAt = new Date(Date.now() + expiresInHours * 3_600_000);
      const link = {
        kind: 'invite',
        secret_hash: hashSecret(secret),
        email,
        role,
        invited_by: actor.id,
        expires_at: expiresAt,
      } as const;
      const inserted = await linkRepository.insertLink(trx, link);
      await recordAudit(trx, {
        action: 'invite.created',
        actorId: actor.id,
        target: { type: 'invite', id: inserted.id },
        details: { role },
        origin,
      });
      const inviter = await repository.findUserById(trx, actor.id);
      return { ...inserted, inviter: inviter?.display_name ?? null };
    });
    return { invite: presentInvite(row), secret };
  },

  withdrawInvitesOf: (trx, userId) => linkRepository.deleteInvitesBy(trx, userId),

  async deleteInvite(id, actor, origin) {
    await inTransaction(db, async (trx) => {
      if (!(await linkRepository.deleteInvite(trx, id))) throw notFound('This invite');
      await recordAudit(trx, { action: 'invite.withdrawn', actorId: actor.id, target: { type: 'invite', id }, origin });
    });
  },
});
