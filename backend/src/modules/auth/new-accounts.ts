import type { User } from '@sac/contracts';
import type { Transaction } from 'kysely';
import type { Database } from '../../db/database.ts';
import type { NewUser, Tables, UserRow } from '../../db/tables.ts';
import { inTransaction } from '../../db/transaction.ts';
import { AppError, invalidField } from '../../lib/app-error.ts';
import { hashSecret } from '../../lib/secrets.ts';
import { recordAudit } from '../audit/record.ts';
import type { SettingsService } from '../settings/service.ts';
import type { AttemptLimits } from './attempts.ts';
import { linkInvalid } from './links.ts';
import { withNameConflicts } from './name-conflicts.ts';
import type { PasswordHasher } from './password-hasher.ts';
import { checkNewPassword } from './password-rules.ts';
import * as linkRepository from './link-repository.ts';
import * as repository from './repository.ts';
import type { Browser, OpenedSession } from './refresh.ts';
import type { SessionsService } from './sessions.ts';

export interface NewAccount {
  readonly username: string;
  readonly displayName: string;
  readonly email: string | null;
  readonly password: string;
}

export interface NewAccountsService {
  /** With the secret of a first-admin link, which is used up only when the account is made. */
  redeemAdminLink(secret: string, account: NewAccount, browser: Browser): Promise<OpenedSession>;
  /** As the setting `registration` says; with an invite its role and address count. */
  register(invite: string | null, account: NewAccount, browser: Browser): Promise<OpenedSession>;
}

interface Deps {
  readonly db: Database;
  readonly hasher: PasswordHasher;
  readonly sessions: SessionsService;
  readonly settings: SettingsService;
  readonly limits: AttemptLimits;
}

const closed = (): AppError =>
  new AppError('registration_closed', 'New accounts need an invite here. Ask an admin for an invite link.');

const newUser = (account: NewAccount, role: User['role'], passwordHash: string): NewUser => ({
  username: account.username,
  display_name: account.displayName,
  email: account.email,
  role,
  password_hash: passwordHash,
});

export const createNewAccountsService = ({ db, hasher, sessions, settings, limits }: Deps): NewAccountsService => {
  const createAccount = async (trx: Transaction<Tables>, user: NewUser, browser: Browser): Promise<UserRow> => {
    const row = await repository.insertUser(trx, user);
    const details = { role: row.role };
    await recordAudit(trx, {
      action: 'user.created',
      actorId: row.id,
      target: { type: 'user', id: row.id },
      details,
      origin: browser,
    });
    return row;
  };

  const redeemAdminLink: NewAccountsService['redeemAdminLink'] = async (secret, account, browser) => {
    const giveBack = limits.link(browser.ip);
    checkNewPassword(account.password, '/password', [account.username, account.email]);
    const secretHash = hashSecret(secret);
    if ((await linkRepository.findUsableLink(db, 'admin', secretHash)) === undefined) throw linkInvalid();
    giveBack();
    const passwordHash = await hasher.hash(account.password);
    return withNameConflicts(
      inTransaction(db, async (trx) => {
        const link = await linkRepository.redeemLink(trx, 'admin', secretHash);
        if (link === undefined) throw linkInvalid();
        const user = await createAccount(trx, newUser(account, 'admin', passwordHash), browser);
        await linkRepository.noteLinkUser(trx, link.id, user.id);
        await linkRepository.deleteUnusedAdminLinks(trx);
        return sessions.open(trx, user, browser);
      }),
    );
  };

  const register: NewAccountsService['register'] = async (invite, account, browser) => {
    const giveBack = limits.link(browser.ip);
    checkNewPassword(account.password, '/password', [account.username, account.email]);
    const secretHash = invite === null ? null : hashSecret(invite);
    await requireRegistration(secretHash, account);
    giveBack();
    limits.newAccount(browser.ip);
    const passwordHash = await hasher.hash(account.password);
    return withNameConflicts(
      inTransaction(db, async (trx) => {
        const { registration } = await settings.read(trx);
        if (registration === 'closed' || (registration === 'invite' && secretHash === null)) throw closed();
        const link = secretHash === null ? undefined : await linkRepository.redeemLink(trx, 'invite', secretHash);
        if (secretHash !== null && link === undefined) throw linkInvalid();
        const named = { ...account, email: link?.email ?? account.email };
        const user = await createAccount(trx, newUser(named, link?.role ?? 'user', passwordHash), browser);
        if (link !== undefined) await linkRepository.noteLinkUser(trx, link.id, user.id);
        return sessions.open(trx, user, browser);
      }),
    );
  };

  /** Cheap refusals before the expensive hash; decided again inside the transaction. */
  const requireRegistration = async (secretHash: Buffer | null, account: NewAccount): Promise<void> => {
    const { registration } = await settings.read();
    if (registration === 'closed' || (registration === 'invite' && secretHash === null)) throw closed();
    if (secretHash === null) return;
    const link = await linkRepository.findUsableLink(db, 'invite', secretHash);
    if (link === undefined) throw linkInvalid();
    const foreign =
      link.email !== null && account.email !== null && link.email.toLowerCase() !== account.email.toLowerCase();
    if (foreign) throw invalidField('/email', 'must be the address the invite was made for, or be left out.');
  };

  return { redeemAdminLink, register };
};
