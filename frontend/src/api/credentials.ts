import type { SignedIn } from '@sac/contracts';
import { ApiError } from './api-error.ts';
import type { BrowserLock } from './browser-lock.ts';

/** What a tab keeps in memory; never in storage. */
export interface AccessToken {
  readonly token: string;
  /** Epoch milliseconds. */
  readonly expiresAtMs: number;
}

type TabMessage = { readonly type: 'signed-in'; readonly signedIn: SignedIn } | { readonly type: 'signed-out' };

/** The part of BroadcastChannel that is used. */
export interface TabChannel {
  postMessage(message: unknown): void;
  onmessage: ((event: MessageEvent<unknown>) => void) | null;
}

export interface CredentialsDeps {
  readonly lock: BrowserLock;
  readonly storage: Pick<Storage, 'getItem' | 'setItem' | 'removeItem'>;
  readonly channel: TabChannel;
  /** Calls `POST /api/auth/refresh` with the secret; rejects with ApiError. */
  readonly requestRefresh: (secret: string) => Promise<SignedIn>;
  readonly now?: () => number;
}

const secretKey = 'sac.refresh-secret';
const lockName = 'refresh';
/** A token this close to its end is renewed before it is used. */
const renewBeforeMs = 30_000;

/**
 * Access token in memory, refresh secret in localStorage, one refresh at a time in the whole browser.
 * A tab that refreshed tells the others, so that ten tabs that wake up rotate the token once.
 */
export class Credentials {
  private readonly deps: CredentialsDeps;
  private readonly now: () => number;
  private access: AccessToken | null = null;
  private refreshing: Promise<AccessToken> | null = null;
  private readonly signedInListeners = new Set<(signedIn: SignedIn) => void>();
  private readonly signedOutListeners = new Set<() => void>();

  constructor(deps: CredentialsDeps) {
    this.deps = deps;
    this.now = deps.now ?? Date.now;
    deps.channel.onmessage = (event) => {
      this.onTabMessage(event.data as TabMessage);
    };
  }

  /** Whether this browser has something to refresh with. */
  get mayRefresh(): boolean {
    return this.deps.storage.getItem(secretKey) !== null;
  }

  /** Secret half of the refresh token, for sign-out. */
  get refreshSecret(): string | null {
    return this.deps.storage.getItem(secretKey);
  }

  onSignedIn(listener: (signedIn: SignedIn) => void): void {
    this.signedInListeners.add(listener);
  }

  onSignedOut(listener: () => void): void {
    this.signedOutListeners.add(listener);
  }

  /** Takes over the answer of a sign-in, registration or refresh. */
  accept(signedIn: SignedIn): AccessToken {
    this.deps.storage.setItem(secretKey, signedIn.refreshSecret);
    this.deps.channel.postMessage({ type: 'signed-in', signedIn } satisfies TabMessage);
    return this.adopt(signedIn);
  }

  /** Forgets everything, in this tab and the others. */
  clear(): void {
    this.deps.storage.removeItem(secretKey);
    this.deps.channel.postMessage({ type: 'signed-out' } satisfies TabMessage);
    this.forget();
  }

  /** A token good for a call. Rejects with ApiError `unauthenticated` when nobody is signed in. */
  async token(): Promise<string> {
    if (this.access && this.access.expiresAtMs - renewBeforeMs > this.now()) return this.access.token;
    return (await this.refresh(this.access?.token)).token;
  }

  /**
   * Gets another token than `rejected`. When another tab was faster, its token is used.
   * Rejects with `unauthenticated` (and signs out) when the server refuses, else with what went wrong.
   */
  async refresh(rejected?: string): Promise<AccessToken> {
    this.refreshing ??= this.deps.lock
      .run(lockName, () => this.refreshAlone(rejected))
      .finally(() => {
        this.refreshing = null;
      });
    return this.refreshing;
  }

  private async refreshAlone(rejected: string | undefined): Promise<AccessToken> {
    if (this.access && this.access.token !== rejected && this.access.expiresAtMs - renewBeforeMs > this.now())
      return this.access;
    const secret = this.deps.storage.getItem(secretKey);
    if (secret === null) throw new ApiError({ code: 'unauthenticated', message: 'Sign in to go on.', status: 401 });
    try {
      return this.accept(await this.deps.requestRefresh(secret));
    } catch (error) {
      const refused = error instanceof ApiError && (error.status === 401 || error.code === 'account_disabled');
      // Another tab may have signed in anew meanwhile; its secret must not be thrown away.
      if (refused && this.deps.storage.getItem(secretKey) === secret) this.clear();
      throw error;
    }
  }

  private adopt(signedIn: SignedIn): AccessToken {
    this.access = { token: signedIn.accessToken, expiresAtMs: Date.parse(signedIn.accessTokenExpiresAt) };
    for (const listener of this.signedInListeners) listener(signedIn);
    return this.access;
  }

  private forget(): void {
    this.access = null;
    for (const listener of this.signedOutListeners) listener();
  }

  private onTabMessage(message: TabMessage): void {
    if (message.type === 'signed-in') this.adopt(message.signedIn);
    else this.forget();
  }
}
