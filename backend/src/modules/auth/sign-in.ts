import type { Database } from '../../db/database.ts';
import { inTransaction } from '../../db/transaction.ts';
import { AppError } from '../../lib/app-error.ts';
import { recordAudit } from '../audit/record.ts';
import type { AttemptLimits } from './attempts.ts';
import type { PasswordHasher } from './password-hasher.ts';
import { couldBePassword } from './password-rules.ts';
import * as repository from './repository.ts';
import type { Browser, OpenedSession } from './refresh.ts';
import type { SessionsService } from './sessions.ts';

interface Deps {
  readonly db: Database;
  readonly hasher: PasswordHasher;
  readonly sessions: SessionsService;
  readonly limits: AttemptLimits;
}

export type SignIn = (login: string, password: string, browser: Browser) => Promise<OpenedSession>;

/**
 * Signs in with user name or address. Throws AppError `rate_limited` before anything is computed,
 * `invalid_credentials` for a wrong password and for an unknown account alike, after the same work, and
 * `account_disabled` only to who knows the password.
 */
export const createSignIn =
  ({ db, hasher, sessions, limits }: Deps): SignIn =>
  async (login, password, browser) => {
    // Control characters occur in no name; PostgreSQL would refuse NUL with an error of its own.
    const couldBeName = !/\p{Cc}/u.test(login);
    const giveBack = await limits.signIn(
      browser.ip,
      login.normalize('NFC').toLowerCase(),
      async () => couldBeName && (await repository.hasSignedInFrom(db, login, browser.ip)),
    );
    const possible = couldBeName && couldBePassword(password);
    const user = possible ? await repository.findUserByLogin(db, login) : undefined;
    const matches = await limits.check(browser.ip, () =>
      hasher.verify(possible ? password : '', user?.password_hash ?? null),
    );
    if (user === undefined || !matches) {
      await recordAudit(db, { action: 'auth.sign_in_failed', actorId: user?.id ?? null, origin: browser });
      throw new AppError('invalid_credentials', 'User name or password is wrong.');
    }
    if (user.status !== 'active') throw new AppError('account_disabled', 'This account is disabled. Ask an admin.');
    giveBack();
    return inTransaction(db, async (trx) => {
      await recordAudit(trx, { action: 'auth.signed_in', actorId: user.id, origin: browser });
      return sessions.open(trx, user, browser);
    });
  };
