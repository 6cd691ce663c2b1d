import { AppError } from '../../lib/app-error.ts';
import { addressKey, createRateLimiter } from '../../lib/rate-limiter.ts';

const MINUTE_MS = 60_000;
/** Checks of passwords take a third of a second each and the queue for them is short: nobody may fill it alone. */
const CHECKS_AT_ONCE_PER_ADDRESS = 8;
const CHECKS_RETRY_SECONDS = 5;

/**
 * Limits of everything that can be guessed, applied before anything is computed. What turns out right is
 * given back, so an office behind one address is not locked out by its own people.
 * The strict limit is per account and address: strangers elsewhere, however many, cannot lock somebody out of an
 * account where that person has signed in before.
 */
export const createAttemptLimits = () => {
  const perAddress = createRateLimiter({ limit: 60, windowMs: MINUTE_MS });
  const perAccountAndAddress = createRateLimiter({ limit: 10, windowMs: 5 * MINUTE_MS });
  const perAccount = createRateLimiter({ limit: 100, windowMs: 15 * MINUTE_MS });
  const links = createRateLimiter({ limit: 60, windowMs: MINUTE_MS });
  const newAccounts = createRateLimiter({ limit: 60, windowMs: 10 * MINUTE_MS });
  /** Holds an address only while something of it is under way. */
  const checking = new Map<string, number>();

  return {
    /** Runs one check of a password. Rejects with AppError `rate_limited` when this address has enough under way. */
    async check<T>(ip: string, work: () => Promise<T>): Promise<T> {
      const address = addressKey(ip);
      const underWay = checking.get(address) ?? 0;
      if (underWay >= CHECKS_AT_ONCE_PER_ADDRESS) {
        throw new AppError(
          'rate_limited',
          `${CHECKS_AT_ONCE_PER_ADDRESS} sign-ins from this address are being checked already. Try again in ${CHECKS_RETRY_SECONDS} seconds.`,
          { retryAfterSeconds: CHECKS_RETRY_SECONDS },
        );
      }
      checking.set(address, underWay + 1);
      try {
        return await work();
      } finally {
        const left = (checking.get(address) ?? 1) - 1;
        if (left > 0) checking.set(address, left);
        else checking.delete(address);
      }
    },
    /**
     * Rejects with AppError `rate_limited`; gives what takes the attempt back. `isKnownHere`: whether somebody has
     * signed in to the account from this address before.
     */
    async signIn(ip: string, account: string, isKnownHere: () => Promise<boolean>): Promise<() => void> {
      const address = addressKey(ip);
      const pair = `${address} ${account}`;
      perAddress.take(address);
      perAccountAndAddress.take(pair);
      const isCounted = perAccount.tryTake(account);
      // Guessing from many addresses at once is stopped, but must not keep the person out who is at home here.
      if (!isCounted && !(await isKnownHere())) perAccount.take(account);
      return () => {
        perAddress.giveBack(address);
        perAccountAndAddress.giveBack(pair);
        if (isCounted) perAccount.giveBack(account);
      };
    },
    link(ip: string): () => void {
      const address = addressKey(ip);
      links.take(address);
      return () => links.giveBack(address);
    },
    newAccount(ip: string): void {
      newAccounts.take(addressKey(ip));
    },
  };
};
export type AttemptLimits = ReturnType<typeof createAttemptLimits>;
