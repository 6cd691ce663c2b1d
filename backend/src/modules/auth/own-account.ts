import type { User } from '@sac/contracts';
import type { Database } from '../../db/database.ts';
import type { UserRow } from '../../db/tables.ts';
import { inTransaction } from '../../db/transaction.ts';
import { AppError } from '../../lib/app-error.ts';
import { recordAudit } from '../audit/record.ts';
import { publishEvent } from '../events/publish.ts';
import { presentUser } from '../users/presenter.ts';
import type { AttemptLimits } from './attempts.ts';
import { withNameConflicts } from './name-conflicts.ts';
import type { PasswordHasher } from './password-hasher.ts';
import { checkNewPassword, couldBePassword } from './password-rules.ts';
import * as repository from './repository.ts';
import type { Browser } from './refresh.ts';
import type { Caller, SessionsService } from './sessions.ts';

export interface OwnAccountService {
  me(caller: Caller): Promise<User>;
  updateMe(caller: Caller, change: { readonly displayName?: string; readonly email?: string | null }): Promise<User>;
  /** Ends all other sessions of the account. */
  changePassword(
    caller: Caller,
    passwords: { readonly current: string; readonly next: string },
    browser: Browser,
  ): Promise<void>;
  signOutEverywhere(caller: Caller, browser: Browser): Promise<void>;
}

interface Deps {
  readonly db: Database;
  readonly hasher: PasswordHasher;
  readonly sessions: SessionsService;
  readonly limits: AttemptLimits;
}

export const createOwnAccountService = ({ db, hasher, sessions, limits }: Deps): OwnAccountService => {
  const requireMe = async (caller: Caller): Promise<UserRow> => {
    const user = await repository.findUserById(db, caller.id);
    if (user === undefined) throw new AppError('unauthenticated', 'This account does not exist any more.');
    return user;
  };

  const updateMe: OwnAccountService['updateMe'] = (caller, change) =>
    withNameConflicts(
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

  const changePassword: OwnAccountService['changePassword'] = async (caller, { current, next }, browser) => {
    const user = await requireMe(caller);
    checkNewPassword(next, '/newPassword', [user.username, user.email]);
    const giveBack = await limits.signIn(browser.ip, user.username.toLowerCase(), async () => true);
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

  const signOutEverywhere: OwnAccountService['signOutEverywhere'] = (caller, browser) =>
    inTransaction(db, async (trx) => {
      await sessions.revokeAll(trx, caller.id, 'signed_out_elsewhere');
      await recordAudit(trx, { action: 'auth.signed_out_everywhere', actorId: caller.id, origin: browser });
    });

  const me = async (caller: Caller): Promise<User> => presentUser(await requireMe(caller));

  return { me, updateMe, changePassword, signOutEverywhere };
};
