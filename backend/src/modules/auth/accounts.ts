import type { User } from '@sac/contracts';
import type { Transaction } from 'kysely';
import type { Database } from '../../db/database.ts';
import { isUniqueViolation } from '../../db/errors.ts';
import type { NewUser, Tables, UserRow } from '../../db/tables.ts';
import { inTransaction } from '../../db/transaction.ts';
import { AppError, invalidField } from '../../lib/app-error.ts';
import { hashSecret } from '../../lib/secrets.ts';
import { recordAudit } from '../audit/record.ts';
import { publishEvent } from '../events/publish.ts';
import type { SettingsService } from '../settings/service.ts';
import { presentUser } from '../users/presenter.ts';
import type { AttemptLimits } from './attempts.ts';
import { linkInvalid } from './links.ts';
import type { PasswordHasher } from './password-hasher.ts';
import { checkNewPassword, couldBePassword } from './password-rules.ts';
import * as repository from './repository.ts';
import type { Browser, Caller, OpenedSession, SessionsService } from './sessions.ts';

export interface NewAccount {
  readonly username: string;
  readonly displayName: string;
  readonly email: string | null;
  readonly password: string;
}

export interface AccountsService {
  signIn(login: string, password: string, browser: Browser): Promise<OpenedSession>;
  /** With the secret of a first-admin link. */
  redeemAdminLink(secret: string, account: NewAccount, browser: Browser): Promise<OpenedSession>;
  register(invite: string | null, account: NewAccount, browser: Browser): Promise<OpenedSession>;
  me(caller: Caller): Promise<User>;
  updateMe(caller: Caller, change: { readonly displayName?: string; readonly email?: string | null }): Promise<User>;
  changePassword(caller: Caller, passwords: { readonly current: string; readonly next: string }, browser: Browser): Promise<void>;
  signOutEverywhere(caller: Caller, browser: Browser): Promise<void>;
}

interface Deps {
  readonly db: Database;
  readonly hasher: PasswordHasher;
  readonly sessions: SessionsService;
  readonly settings: SettingsService;
  readonly limits: AttemptLimits;
}

const wrongCredentials = (): AppError => new AppError('invalid_credentials', 'User name or password is wrong.');
const closed = (): AppError =>
  new AppError('registration_closed', 'New accounts need an invite here. Ask an admin for an invite link.');

const nameTaken = (err: unknown): AppError | null => {
  if (isUniqueViolation(err, 'users_username_key')) {
    return new AppError('name_taken', 'This user name is taken. Choose another one.', { fields: [{ path: '/username', message: 'is taken' }] });
  }
  if (isUniqueViolation(err, 'users_email_key')) {
    return new AppError('name_taken', 'This e-mail address belongs to another account.', { fields: [{ path: '/email', message: 'belongs to another account' }] });
  }
  return null;
};

const withNames = async <T>(work: Promise<T>): Promise<T> => {
  try {
    return await work;
  } catch (err) {
    throw nameTaken(err) ?? err;
  }
};

const newUser = (account: NewAccount, role: User['role'], passwordHash: string): NewUser => ({
  username: account.username,
  display_name: account.displayName,
  email: account.email,
  role,
  password_hash: passwordHash,
});

export const createAccountsService = ({ db, hasher, sessions, settings, limits }: Deps): AccountsService => {
  const createAccount = async (trx: Transaction<Tables>, user: NewUser, browser: Browser): Promise<UserRow> => {
    const row = await repository.insertUser(trx, user);
    const details = { role: row.role };
    await recordAudit(trx, { action: 'user.created', actorId: row.id, target: { type: 'user', id: row.id }, details, origin: browser });
    return row;
  };

  const signIn: AccountsService['signIn'] = async (login, password, browser) => {
    const account = login.normalize('NFC').toLowerCase();
    const giveBack = limits.signIn(browser.ip, account);
    // Control characters occur in no name; PostgreSQL would refuse NUL with an error of its own.
    // eslint-disable-next-line no-control-regex -- the characters are the point
    const possible = !/[\u0000-\u001f]/.test(login) && couldBePassword(password);
    const user = possible ? await repository.findUserByLogin(db, login) : undefined;
    const matches = await hasher.verify(possible ? password : '', user?.password_hash ?? null);
    if (user === undefined || !matches) {
      await recordAudit(db, { action: 'auth.sign_in_failed', actorId: user?.id ?? null, origin: browser });
      throw wrongCredentials();
    }
    // Only who knows the password learns that the account is disabled.
    if (user.status !== 'active') throw new AppError('account_disabled', 'This account is disabled. Ask an admin.');
    giveBack();
    return inTransaction(db, async (trx) => {
      await recordAudit(trx, { action: 'auth.signed_in', actorId: user.id, origin: browser });
      return sessions.open(trx, user, browser);
    });
  };

  const redeemAdminLink: AccountsService['redeemAdminLink'] = async (secret, account, browser) => {
    const giveBack = limits.link(browser.ip);
    checkNewPassword(account.password, '/password', [account.username, account.email]);
    const secretHash = hashSecret(secret);
    if ((await repository.findUsableLink(db, 'admin', secretHash)) === undefined) throw linkInvalid();
    giveBack();
    const passwordHash = await hasher.hash(account.password);
    return withNames(
      inTransaction(db, async (trx) => {
        const link = await repository.redeemLink(trx, 'admin', secretHash);
        if (link === undefined) throw linkInvalid();
        const user = await createAccount(trx, newUser(account, 'admin', passwordHash), browser);
        await repository.noteLinkUser(trx, link.id, user.id);
        await repository.deleteUnusedAdminLinks(trx);
        return sessions.open(trx, user, browser);
      }),
    );
  };

  const register: AccountsService['register'] = async (invite, account, browser) => {
    const giveBack = limits.link(browser.ip);
    checkNewPassword(account.password, '/password', [account.username, account.email]);
    const secretHash = invite === null ? null : hashSecret(invite);
    await requireRegistration(secretHash, account);
    giveBack();
    limits.newAccount(browser.ip);
    const passwordHash = await hasher.hash(account.password);
    return withNames(
      inTransaction(db, async (trx) => {
        const { registration } = await settings.read(trx);
        if (registration === 'closed' || (registration === 'invite' && secretHash === null)) throw closed();
        const link = secretHash === null ? undefined : await repository.redeemLink(trx, 'invite', secretHash);
        if (secretHash !== null && link === undefined) throw linkInvalid();
        const named = { ...account, email: link?.email ?? account.email };
        const user = await createAccount(trx, newUser(named, link?.role ?? 'user', passwordHash), browser);
        if (link !== undefined) await repository.noteLinkUser(trx, link.id, user.id);
        return sessions.open(trx, user, browser);
      }),
    );
  };

  /** Cheap refusals before the expensive hash; decided again inside the transaction. */
  const requireRegistration = async (secretHash: Buffer | null, account: NewAccount): Promise<void> => {
    const { registration } = await settings.read();
    if (registration === 'closed' || (registration === 'invite' && secretHash === null)) throw closed();
    if (secretHash === null) return;
    const link = await repository.findUsableLink(db, 'invite', secretHash);
    if (link === undefined) throw linkInvalid();
    const foreign = link.email !== null && account.email !== null && link.email.toLowerCase() !== account.email.toLowerCase();
    if (foreign) throw invalidField('/email', 'must be the address the invite was made for, or be left out.');
  };

  const requireMe = async (caller: Caller): Promise<UserRow> => {
    const user = await repository.findUserById(db, caller.id);
    if (user === undefined) throw new AppError('unauthenticated', 'This account does not exist any more.');
    return user;
  };

  const updateMe: AccountsService['updateMe'] = (caller, change) =>
    withNames(
      inTransaction(db, async (trx) => {
        const columns = {
          ...(change.displayName === undefined ? {} : { display_name: change.displayName }),
          ...(change.email === undefined ? {} : { email: change.email }),
        };
        const row = await repository.updateOwnAccount(trx, caller.id, columns);
        if (row === undefined) throw new AppError('unauthenticated', 'This account does not exist any more.');
        const user = presentUser(row);
        await publishEvent(trx, { userId: row.id }, { type: 'account', user });
        return user;
      }),
    );

  const changePassword: AccountsService['changePassword'] = async (caller, { current, next }, browser) => {
    const user = await requireMe(caller);
    checkNewPassword(next, '/newPassword', [user.username, user.email]);
    const giveBack = limits.signIn(browser.ip, user.username.toLowerCase());
    const matches = await hasher.verify(couldBePassword(current) ? current : '', user.password_hash);
    if (!matches) throw new AppError('invalid_credentials', 'The current password is wrong.');
    giveBack();
    const to = await hasher.hash(next);
    await inTransaction(db, async (trx) => {
      if (!(await repository.replacePasswordHash(trx, user.id, { from: user.password_hash, to }))) {
        throw new AppError('invalid_credentials', 'The password was changed elsewhere at the same moment.');
      }
      await repository.revokeAuthSessions(trx, { userId: user.id, exceptId: caller.authSessionId }, 'password_changed');
      await recordAudit(trx, { action: 'auth.password_changed', actorId: user.id, origin: browser });
    });
  };

  const signOutEverywhere: AccountsService['signOutEverywhere'] = (caller, browser) =>
    inTransaction(db, async (trx) => {
      await sessions.revokeAll(trx, caller.id, 'signed_out_elsewhere');
      await recordAudit(trx, { action: 'auth.signed_out_everywhere', actorId: caller.id, origin: browser });
    });

  const me = async (caller: Caller): Promise<User> => presentUser(await requireMe(caller));

  return { signIn, redeemAdminLink, register, me, updateMe, changePassword, signOutEverywhere };
};
