import { describe, expect, it } from 'vitest';
import { AppError } from './app-error.ts';
import { addressKey, createRateLimiter } from './rate-limiter.ts';

const clock = () => {
  const time = { nowMs: 0 };
  return { time, now: () => time.nowMs };
};

describe('rate limiter', () => {
  it('refuses beyond the limit and says how long to wait', () => {
    const { time, now } = clock();
    const limiter = createRateLimiter({ limit: 2, windowMs: 10_000 }, now);
    limiter.take('a');
    time.nowMs = 4_000;
    limiter.take('a');
    expect(() => limiter.take('a')).toThrow(
      expect.objectContaining({ code: 'rate_limited', details: { retryAfterSeconds: 6 } }) as AppError,
    );
    limiter.take('b');
    time.nowMs = 10_000;
    limiter.take('a');
  });

  it('takes back', () => {
    const limiter = createRateLimiter({ limit: 1, windowMs: 1_000 }, clock().now);
    limiter.take('a');
    limiter.giveBack('a');
    limiter.giveBack('a');
    limiter.giveBack('unknown');
    limiter.take('a');
    expect(() => limiter.take('a')).toThrow(AppError);
  });

  it('forgets the oldest key instead of growing', () => {
    const limiter = createRateLimiter({ limit: 1, windowMs: 1_000, maxKeys: 100 }, clock().now);
    for (let index = 0; index < 101; index += 1) limiter.take(`key ${index}`);
    limiter.take('key 0');
    expect(() => limiter.take('key 100')).toThrow(AppError);
  });
});

describe('address key', () => {
  it.each([
    ['10.0.0.1', '10.0.0.1'],
    ['::ffff:10.0.0.1', '10.0.0.1'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2'],
    ['2001:db8:1:2::9', '2001:db8:1:2'],
    ['2001:0db8:0001:0002:ffff::', '2001:db8:1:2'],
    ['::1', '0:0:0:0'],
    ['fe80::1', 'fe80:0:0:0'],
  ])('of %s is %s', (ip, key) => {
    expect(addressKey(ip)).toBe(key);
  });
});
