import type { SignedIn, User } from '@sac/contracts';

export const testUser: User = {
  id: '1',
  username: 'ana',
  email: null,
  displayName: 'Ana',
  role: 'user',
  status: 'active',
  createdAt: '2026-11-21T00:00:00Z',
  lastActiveAt: null,
};

/** What the server answers to a sign-in; `mark` tells one from another. */
export const signedInFixture = (mark: string | number = 1): SignedIn => ({
  user: testUser,
  lastEventId: '0',
  accessToken: `token-${mark}`,
  accessTokenExpiresAt: new Date(Date.now() + 900_000).toISOString(),
  refreshSecret: `secret-${mark}`,
});
