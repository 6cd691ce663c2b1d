import type { SignedIn } from '@sac/contracts';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { testUser as user } from '../testing/signed-in.ts';
import { ApiError } from './api-error.ts';
import { createLeaseLock, type BrowserLock } from './browser-lock.ts';
import { Credentials, type TabChannel } from './credentials.ts';

const refused = () => new ApiError({ code: 'unauthenticated', message: 'no', status: 401 });

/** The server's side of rotation: one current secret; anything else is reuse. */
class Rotation {
  count = 0;
  reuses = 0;
  current = 'secret-0';
  delayMs = 5;

  signedIn(): SignedIn {
    this.count++;
    this.current = `secret-${this.count}`;
    return {
      user,
      lastEventId: '0',
      accessToken: `token-${this.count}`,
      accessTokenExpiresAt: new Date(Date.now() + 900_000).toISOString(),
      refreshSecret: this.current,
    };
  }

  refresh = async (secret: string): Promise<SignedIn> => {
    await new Promise((resolve) => setTimeout(resolve, this.delayMs));
    if (secret !== this.current) {
      this.reuses++;
      throw refused();
    }
    return this.signedIn();
  };
}

/** Channels of several tabs: a message reaches all others a moment later. */
const createBus = () => {
  const channels: TabChannel[] = [];
  return (): TabChannel => {
    const channel: TabChannel = {
      onmessage: null,
      postMessage: (data) => {
        for (const other of channels)
          if (other !== channel)
            queueMicrotask(() => other.onmessage?.(new MessageEvent('message', { data: structuredClone(data) })));
      },
    };
    channels.push(channel);
    return channel;
  };
};

const serialLock = (): BrowserLock => {
  let last: Promise<unknown> = Promise.resolve();
  return {
    run: (_name, work) => {
      const turn = last.then(work);
      last = turn.catch(() => undefined);
      return turn;
    },
  };
};

describe('Credentials', () => {
  let server: Rotation;
  let storage: Storage;
  let openChannel: () => TabChannel;
  let lock: BrowserLock;
  const openTab = (): Credentials =>
    new Credentials({ lock, storage, channel: openChannel(), requestRefresh: server.refresh });

  beforeEach(() => {
    server = new Rotation();
    localStorage.clear();
    storage = localStorage;
    openChannel = createBus();
    lock = serialLock();
  });

  it('refreshes once for many calls at the same time', async () => {
    storage.setItem('sac.refresh-secret', 'secret-0');
    const tab = openTab();
    const tokens = await Promise.all(Array.from({ length: 20 }, () => tab.token()));
    expect(new Set(tokens)).toEqual(new Set(['token-1']));
    expect(server.count).toBe(1);
  });

  it('two tabs that start at once rotate one after the other and never reuse a secret', async () => {
    storage.setItem('sac.refresh-secret', 'secret-0');
    const [first, second] = [openTab(), openTab()];
    const tokens = await Promise.all([first.token(), second.token()]);
    expect(server.reuses).toBe(0);
    expect(server.count).toBe(1);
    expect(tokens).toEqual(['token-1', 'token-1']);
    expect(storage.getItem('sac.refresh-secret')).toBe('secret-1');
  });

  it('the same with the lease that stands in for Web Locks', async () => {
    storage.setItem('sac.refresh-secret', 'secret-0');
    const open = (owner: string) =>
      new Credentials({
        lock: createLeaseLock(storage, owner),
        storage,
        channel: openChannel(),
        requestRefresh: server.refresh,
      });
    await Promise.all([open('a').token(), open('b').token()]);
    expect(server.reuses).toBe(0);
  });

  it('gets another token when the server refused this one, but not when another tab already did', async () => {
    storage.setItem('sac.refresh-secret', 'secret-0');
    const [first, second] = [openTab(), openTab()];
    const token = await first.token();
    await second.token();
    expect((await first.refresh(token)).token).toBe('token-2');
    await new Promise((resolve) => setTimeout(resolve, 1));
    expect((await second.refresh(token)).token).toBe('token-2');
    expect(server.count).toBe(2);
  });

  it('renews a token shortly before its end', async () => {
    let now = Date.now();
    storage.setItem('sac.refresh-secret', 'secret-0');
    const tab = new Credentials({
      lock,
      storage,
      channel: openChannel(),
      requestRefresh: server.refresh,
      now: () => now,
    });
    await tab.token();
    now += 900_000 - 29_000;
    expect(await tab.token()).toBe('token-2');
  });

  it('signs out everywhere in the browser when the server refuses', async () => {
    storage.setItem('sac.refresh-secret', 'stolen');
    const [first, second] = [openTab(), openTab()];
    const out = vi.fn();
    second.onSignedOut(out);
    await expect(first.token()).rejects.toMatchObject({ code: 'unauthenticated' });
    await Promise.resolve();
    expect(first.mayRefresh).toBe(false);
    expect(out).toHaveBeenCalledOnce();
  });

  it('keeps the secret when the server cannot be reached', async () => {
    storage.setItem('sac.refresh-secret', 'secret-0');
    const fails = async (): Promise<SignedIn> => Promise.reject(new ApiError({ code: 'network', message: 'x' }));
    const tab = new Credentials({ lock, storage, channel: openChannel(), requestRefresh: fails });
    await expect(tab.token()).rejects.toMatchObject({ code: 'network' });
    expect(tab.mayRefresh).toBe(true);
  });

  it('does not throw away a secret that another tab got by signing in anew', async () => {
    storage.setItem('sac.refresh-secret', 'old');
    const tab = new Credentials({
      lock,
      storage,
      channel: openChannel(),
      requestRefresh: async () => {
        storage.setItem('sac.refresh-secret', 'new');
        return Promise.reject(refused());
      },
    });
    await expect(tab.token()).rejects.toMatchObject({ code: 'unauthenticated' });
    expect(storage.getItem('sac.refresh-secret')).toBe('new');
  });

  it('asks nobody when nobody is signed in', async () => {
    await expect(openTab().token()).rejects.toMatchObject({ code: 'unauthenticated' });
    expect(server.count).toBe(0);
  });
});
