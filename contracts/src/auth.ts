import { Type, type Static } from 'typebox';
import { displayText, Empty, nullable, oneOf, strict, Id, Timestamp } from './primitives.ts';
import { route } from './route.ts';

/** bcrypt reads 72 bytes and ignores the rest, so longer passwords are refused instead of cut. */
export const PASSWORD_MAX_BYTES = 72;
export const PASSWORD_MIN_CHARACTERS = 10;

/** No `@`: a user name can then never equal somebody's e-mail address. */
export const Username = Type.String({ minLength: 2, maxLength: 32, pattern: '^[A-Za-z0-9][A-Za-z0-9._-]*$' });
export const Email = Type.String({
  minLength: 3,
  maxLength: 254,
  pattern: '^[^\\s@\\u0000-\\u001f]+@[^\\s@\\u0000-\\u001f]+$',
});
/** Byte length is checked by the server: a schema counts characters. */
export const Password = Type.String({ minLength: PASSWORD_MIN_CHARACTERS, maxLength: 256 });
/** Any old password may be offered at sign-in, whatever today's rules are. */
const OfferedPassword = Type.String({ minLength: 1, maxLength: 256 });
/** 256 random bits, base64url. Travels in the URL fragment and in bodies, never in a path or query. */
const LinkSecret = Type.String({ minLength: 20, maxLength: 128, pattern: '^[A-Za-z0-9_-]+$' });

export const roles = ['admin', 'user'] as const;
export const userStatuses = ['active', 'disabled'] as const;
export const registrationModes = ['open', 'invite', 'closed'] as const;

export const User = strict({
  id: Id,
  username: Type.String(),
  email: nullable(Type.String()),
  displayName: Type.String(),
  role: oneOf(roles),
  status: oneOf(userStatuses),
  createdAt: Timestamp,
  lastActiveAt: nullable(Timestamp),
});
export type User = Static<typeof User>;

/**
 * The access token goes into memory. The refresh token is split: one half is the HttpOnly cookie, the
 * other, `refreshSecret`, goes into localStorage and comes back as a header, because cookies ignore ports.
 */
export const SignedIn = strict({
  user: User,
  accessToken: Type.String(),
  accessTokenExpiresAt: Timestamp,
  refreshSecret: Type.String(),
  /** Newest event of the account: who loads its lists now follows them with the event stream from here on. */
  lastEventId: Type.String(),
});
export type SignedIn = Static<typeof SignedIn>;

export const REFRESH_COOKIE = 'sac_refresh';
export const REFRESH_SECRET_HEADER = 'x-sac-refresh-secret';

export const AuthSession = strict({
  id: Id,
  userAgent: Type.String(),
  ip: Type.String(),
  createdAt: Timestamp,
  lastUsedAt: Timestamp,
  current: Type.Boolean(),
});
export type AuthSession = Static<typeof AuthSession>;

const tag = 'Accounts';

export const authRoutes = {
  /** What the sign-in page must know before anyone is signed in. */
  getAuthState: route({
    method: 'GET',
    path: '/api/auth/state',
    access: 'public',
    tag,
    status: 200,
    summary: 'Whether a first admin is needed and how registration works',
    response: strict({
      firstAdminNeeded: Type.Boolean(),
      registration: oneOf(registrationModes),
      demo: Type.Boolean(),
      version: Type.String(),
    }),
  }),
  /** Redeems the single-use link that `make start` or `make admin-link` printed. */
  redeemAdminLink: route({
    method: 'POST',
    path: '/api/auth/admin-link',
    access: 'public',
    tag,
    status: 201,
    summary: 'Create the first admin, or a further one when all are locked out, with a single-use link',
    body: strict({
      secret: LinkSecret,
      username: Username,
      displayName: displayText(1, 80),
      email: Type.Optional(Email),
      password: Password,
    }),
    response: SignedIn,
    errors: ['link_invalid', 'name_taken'],
  }),
  checkLink: route({
    method: 'POST',
    path: '/api/auth/check-link',
    access: 'public',
    tag,
    status: 200,
    summary: 'Whether an invite or admin link is still good, without using it',
    body: strict({ kind: oneOf(['admin', 'invite'] as const), secret: LinkSecret }),
    response: strict({ expiresAt: Timestamp, invitedBy: nullable(Type.String()), email: nullable(Type.String()) }),
    errors: ['link_invalid'],
  }),
  signIn: route({
    method: 'POST',
    path: '/api/auth/sign-in',
    access: 'public',
    tag,
    status: 200,
    summary: 'Sign in with user name or e-mail address',
    body: strict({ login: Type.String({ minLength: 1, maxLength: 254 }), password: OfferedPassword }),
    response: SignedIn,
    errors: ['invalid_credentials', 'account_disabled'],
  }),
  register: route({
    method: 'POST',
    path: '/api/auth/register',
    access: 'public',
    tag,
    status: 201,
    summary: 'Create an account, with an invite unless registration is open',
    body: strict({
      invite: Type.Optional(LinkSecret),
      username: Username,
      displayName: displayText(1, 80),
      email: Type.Optional(Email),
      password: Password,
    }),
    response: SignedIn,
    errors: ['registration_closed', 'link_invalid', 'name_taken'],
  }),
  refresh: route({
    method: 'POST',
    path: '/api/auth/refresh',
    access: 'refresh',
    tag,
    status: 200,
    summary: 'Rotate the refresh token and get a new access token',
    body: Empty,
    response: SignedIn,
  }),
  signOut: route({
    method: 'POST',
    path: '/api/auth/sign-out',
    access: 'refresh',
    tag,
    status: 204,
    summary: 'End this browser session',
    body: Empty,
  }),
  signOutEverywhere: route({
    method: 'POST',
    path: '/api/auth/sign-out-everywhere',
    access: 'user',
    tag,
    status: 204,
    summary: 'End all sessions of this account, this one included',
    body: Empty,
  }),
  me: route({
    method: 'GET',
    path: '/api/auth/me',
    access: 'user',
    tag,
    status: 200,
    summary: 'The signed-in account',
    response: User,
  }),
  updateMe: route({
    method: 'PATCH',
    path: '/api/auth/me',
    access: 'user',
    tag,
    status: 200,
    summary: 'Change own display name or e-mail',
    body: strict({ displayName: Type.Optional(displayText(1, 80)), email: Type.Optional(nullable(Email)) }),
    response: User,
    errors: ['name_taken'],
  }),
  changePassword: route({
    method: 'PUT',
    path: '/api/auth/password',
    access: 'user',
    tag,
    status: 204,
    summary: 'Change own password; all other sessions end',
    body: strict({ currentPassword: OfferedPassword, newPassword: Password }),
    errors: ['invalid_credentials'],
  }),
  listAuthSessions: route({
    method: 'GET',
    path: '/api/auth/sessions',
    access: 'user',
    tag,
    status: 200,
    summary: 'Browsers signed in to this account',
    response: strict({ sessions: Type.Array(AuthSession) }),
  }),
  revokeAuthSession: route({
    method: 'DELETE',
    path: '/api/auth/sessions/:authSessionId',
    access: 'user',
    tag,
    status: 204,
    summary: 'End one browser session',
    params: strict({ authSessionId: Id }),
    errors: ['not_found'],
  }),
} as const;
