import { isIPv6 } from 'node:net';
import { AppError } from './app-error.ts';

export interface RateLimit {
  readonly limit: number;
  readonly windowMs: number;
  /** Oldest keys are forgotten beyond this, so that a flood of new keys cannot fill the memory. */
  readonly maxKeys?: number;
}

export interface RateLimiter {
  /** Counts one; throws AppError `rate_limited` with the seconds to wait when the window is full. */
  take(key: string): void;
  /** Counts one and says true, or false when the window is full. */
  tryTake(key: string): boolean;
  /** Takes one count back, for attempts that turned out to be fine. */
  giveBack(key: string): void;
}

interface Window {
  count: number;
  readonly endsAtMs: number;
}

/** Fixed windows per key in the memory of this process. `now` in milliseconds, monotonic. */
export const createRateLimiter = (options: RateLimit, now: () => number = () => performance.now()): RateLimiter => {
  const windows = new Map<string, Window>();
  const maxKeys = options.maxKeys ?? 20_000;

  const current = (key: string): Window => {
    const found = windows.get(key);
    if (found !== undefined && found.endsAtMs > now()) return found;
    windows.delete(key);
    const oldest = windows.size >= maxKeys ? windows.keys().next().value : undefined;
    if (oldest !== undefined) windows.delete(oldest);
    const fresh = { count: 0, endsAtMs: now() + options.windowMs };
    windows.set(key, fresh);
    return fresh;
  };

  const tryTake = (key: string): boolean => {
    const window = current(key);
    if (window.count >= options.limit) return false;
    window.count += 1;
    return true;
  };

  return {
    tryTake,
    take(key) {
      const window = current(key);
      if (!tryTake(key)) {
        const retryAfterSeconds = Math.max(1, Math.ceil((window.endsAtMs - now()) / 1000));
        const message = `Too many attempts: at most ${options.limit} in ${Math.round(options.windowMs / 1000)} seconds. Try again in ${retryAfterSeconds} seconds.`;
        throw new AppError('rate_limited', message, { retryAfterSeconds });
      }
    },
    giveBack(key) {
      const window = windows.get(key);
      if (window !== undefined && window.count > 0) window.count -= 1;
    },
  };
};

/** One key per network a client can choose addresses from: IPv6 hosts own a whole /64. */
export const addressKey = (ip: string): string => {
  if (!isIPv6(ip)) return ip;
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(ip);
  if (mapped?.[1] !== undefined) return mapped[1];
  const [head = '', tail = ''] = ip.split('::');
  const left = head === '' ? [] : head.split(':');
  const right = tail === '' ? [] : tail.split(':');
  const groups = ip.includes('::')
    ? [...left, ...Array<string>(8 - left.length - right.length).fill('0'), ...right]
    : left;
  return groups
    .slice(0, 4)
    .map((group) => Number.parseInt(group, 16).toString(16))
    .join(':');
};
