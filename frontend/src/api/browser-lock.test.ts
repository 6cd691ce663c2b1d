import { beforeEach, describe, expect, it } from 'vitest';
import { createLeaseLock } from './browser-lock.ts';

const pause = (durationMs: number) => new Promise((resolve) => setTimeout(resolve, durationMs));

describe('lease lock', () => {
  beforeEach(() => {
    localStorage.clear();
  });

  it('lets one tab in at a time', async () => {
    let inside = 0;
    let most = 0;
    const work = async () => {
      most = Math.max(most, ++inside);
      await pause(20);
      inside--;
    };
    const [first, second] = [createLeaseLock(localStorage, 'a'), createLeaseLock(localStorage, 'b')];
    await Promise.all([first.run('x', work), second.run('x', work), first.run('x', work)]);
    expect(most).toBe(1);
    expect(localStorage.length).toBe(0);
  });

  it('takes over from a tab that died with the lease', async () => {
    localStorage.setItem('sac.lock.x', JSON.stringify({ owner: 'dead', expiresAt: Date.now() - 1 }));
    expect(await createLeaseLock(localStorage, 'b').run('x', async () => Promise.resolve(1))).toBe(1);
  });

  it('survives a lease that is not one', async () => {
    localStorage.setItem('sac.lock.x', '{"owner":');
    expect(await createLeaseLock(localStorage, 'b').run('x', async () => Promise.resolve(1))).toBe(1);
  });

  it('stops waiting when aborted, and frees the queue behind it', async () => {
    const lock = createLeaseLock(localStorage, 'b');
    localStorage.setItem('sac.lock.x', JSON.stringify({ owner: 'a', expiresAt: Date.now() + 60_000 }));
    const aborting = new AbortController();
    const waiting = lock.run('x', async () => Promise.resolve(1), aborting.signal);
    aborting.abort(new Error('enough'));
    await expect(waiting).rejects.toThrow('enough');
    localStorage.clear();
    expect(await lock.run('x', async () => Promise.resolve(2))).toBe(2);
  });

  it('passes a failure on and lets go', async () => {
    const lock = createLeaseLock(localStorage, 'a');
    await expect(lock.run('x', async () => Promise.reject(new Error('broken')))).rejects.toThrow('broken');
    expect(await lock.run('x', async () => Promise.resolve(3))).toBe(3);
  });
});
