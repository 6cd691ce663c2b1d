import bcrypt from 'bcryptjs';
import { afterEach, describe, expect, it } from 'vitest';
import { createPasswordHasher, type PasswordHasher } from './password-hasher.ts';

let hasher: PasswordHasher | null = null;
afterEach(() => hasher?.close());
const create = (options: Parameters<typeof createPasswordHasher>[0] = {}) =>
  (hasher = createPasswordHasher({ cost: 4, threads: 1, ...options }));

describe('password hasher', () => {
  it('makes bcrypt hashes of cost 12 unless told otherwise, and verifies them', async () => {
    const strong = (hasher = createPasswordHasher({ threads: 1 }));
    const hash = await strong.hash('correct horse');
    expect(bcrypt.getRounds(hash)).toBe(12);
    expect(await strong.verify('correct horse', hash)).toBe(true);
    expect(await strong.verify('wrong horse', hash)).toBe(false);
  });

  it('computes for an unknown account as for a known one, at the same cost', async () => {
    const weak = create();
    expect(await weak.verify('anything', null)).toBe(false);
    // The text behind the stand-in digest opens nothing either.
    expect(await weak.verify('x'.repeat(60), null)).toBe(false);
    expect(weak.computedCount()).toBe(2);
  });

  it('takes as long for an unknown account', async () => {
    const strong = createPasswordHasher({ cost: 11, threads: 1 });
    hasher = strong;
    const hash = await strong.hash('correct horse');
    const time = async (stored: string | null): Promise<number> => {
      const started = performance.now();
      await strong.verify('wrong horse', stored);
      return performance.now() - started;
    };
    const known = Math.min(await time(hash), await time(hash), await time(hash));
    const unknown = Math.min(await time(null), await time(null), await time(null));
    // A refusal without hashing takes less than a hundredth; anything near is a hash.
    expect(unknown).toBeGreaterThan(known / 5);
  });

  it('refuses what does not fit into the queue, at once', async () => {
    const small = create({ cost: 10, maxWaiting: 3 });
    const settled = await Promise.allSettled(Array.from({ length: 20 }, () => small.hash('x')));
    const refused = settled
      .filter((result) => result.status === 'rejected')
      .map((result) => (result as PromiseRejectedResult).reason as unknown);
    // One is computed, three wait.
    expect(refused).toHaveLength(16);
    for (const reason of refused)
      expect(reason).toMatchObject({ code: 'rate_limited', details: { retryAfterSeconds: 5 } });
    expect(await small.hash('after the rush')).toMatch(/^\$2b\$10\$/);
  });

  it('does not block the event loop', async () => {
    const strong = createPasswordHasher({ cost: 12, threads: 1 });
    hasher = strong;
    let turns = 0;
    let isDone = false;
    const turn = (): void => {
      turns += 1;
      if (!isDone) setImmediate(turn);
    };
    turn();
    await strong.hash('x');
    isDone = true;
    // bcryptjs on this thread leaves it one turn for each 100 ms of work: three or so.
    expect(turns).toBeGreaterThan(100);
  });

  it('goes on after a thread failed, and says so to who waited for it', async () => {
    const weak = create();
    await expect(weak.verify('x', 5 as unknown as string)).rejects.toThrow('password hashing failed');
    expect(await weak.verify('x', await weak.hash('x'))).toBe(true);
  });

  it('ends with everything that waits', async () => {
    const strong = createPasswordHasher({ cost: 12, threads: 1 });
    const settled = Promise.allSettled([strong.hash('a'), strong.hash('b')]);
    await strong.close();
    expect((await settled).map((result) => result.status)).toEqual(['rejected', 'rejected']);
    await expect(strong.hash('c')).rejects.toMatchObject({ code: 'rate_limited' });
  });
});
