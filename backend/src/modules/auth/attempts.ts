import { addressKey, createRateLimiter } from '../../lib/rate-limiter.ts';

const MINUTE_MS = 60_000;

/**
 * Limits of everything that can be guessed, applied before anything is computed. What turns out right is
 * given back, so an office behind one address is not locked out by its own people.
 * The strict limit is per account and address: a stranger elsewhere cannot lock somebody out.
 */
export const createAttemptLimits = () => {
  const perAddress = createRateLimiter({ limit: 60, windowMs: MINUTE_MS });
  const perAccountAndAddress = createRateLimiter({ limit: 10, windowMs: 5 * MINUTE_MS });
  const perAccount = createRateLimiter({ limit: 100, windowMs: 15 * MINUTE_MS });
  const links = createRateLimiter({ limit: 60, windowMs: MINUTE_MS });
  const newAccounts = createRateLimiter({ limit: 60, windowMs: 10 * MINUTE_MS });

  return {
    /** Throws AppError `rate_limited`; returns what takes the attempt back. */
    signIn(ip: string, account: string): () => void {
      const address = addressKey(ip);
      const pair = `${address} ${account}`;
      perAddress.take(address);
      perAccountAndAddress.take(pair);
      perAccount.take(account);
      return () => {
        perAddress.giveBack(address);
        perAccountAndAddress.giveBack(pair);
        perAccount.giveBack(account);
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
