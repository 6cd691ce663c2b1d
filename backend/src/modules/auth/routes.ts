import { REFRESH_COOKIE, REFRESH_SECRET_HEADER, type authRoutes, type SignedIn } from '@sac/contracts';
// Declares `cookies` and `setCookie`; the plugin is registered by the server.
import type {} from '@fastify/cookie';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Handlers, RequestContext } from '../../lib/handlers.ts';
import type { GatewayConfig } from '../../config/config.ts';
import type { Keys } from '../../config/keys.ts';
import { deriveKey } from '../../lib/secrets.ts';
import type { SettingsService } from '../settings/service.ts';
import type { LinksService } from './links.ts';
import type { AttemptLimits } from './attempts.ts';
import type { NewAccount, NewAccountsService } from './new-accounts.ts';
import type { OwnAccountService } from './own-account.ts';
import type { SignIn } from './sign-in.ts';
import { SESSION_IDLE_MS, type Browser, type OpenedSession } from './refresh.ts';
import type { SessionsService } from './sessions.ts';

interface Deps {
  readonly signIn: SignIn;
  readonly newAccounts: NewAccountsService;
  readonly ownAccount: OwnAccountService;
  readonly sessions: SessionsService;
  readonly links: LinksService;
  readonly settings: SettingsService;
  readonly limits: AttemptLimits;
  readonly config: GatewayConfig;
  readonly keys: Keys;
  readonly isAdminThere: () => Promise<boolean>;
  readonly isDemo: boolean;
}

const browserOf = ({ request, ip }: { readonly request: FastifyRequest; readonly ip: string }): Browser => ({
  ip,
  requestId: request.id,
  // Header values may hold what PostgreSQL and readers of logs should not get.
  userAgent: (request.headers['user-agent'] ?? '').replace(/\p{Cc}/gu, ''),
});

const newAccount = (body: { username: string; displayName: string; email?: string; password: string }): NewAccount => ({
  username: body.username,
  displayName: body.displayName,
  email: body.email ?? null,
  password: body.password,
});

const createRefreshCookie = (config: GatewayConfig, keys: Keys) => {
  // Two installations on one machine share the cookies of `localhost`, whatever their ports.
  const name = `${REFRESH_COOKIE}_${deriveKey(keys.master, 'cookie-name').toString('hex').slice(0, 8)}`;
  const isHttps = (request: FastifyRequest): boolean =>
    request.protocol === 'https' || config.publicOrigins.every((origin) => origin.startsWith('https:'));
  const attributes = (request: FastifyRequest) =>
    ({ path: '/api/auth', httpOnly: true, sameSite: 'strict', secure: isHttps(request) }) as const;
  return {
    read: (request: FastifyRequest) => {
      const secret = request.headers[REFRESH_SECRET_HEADER];
      return { cookie: request.cookies[name] ?? '', secret: typeof secret === 'string' ? secret : '' };
    },
    set: (request: FastifyRequest, reply: FastifyReply, session: OpenedSession): SignedIn => {
      void reply.setCookie(name, session.cookie, { ...attributes(request), maxAge: SESSION_IDLE_MS / 1000 });
      return session.signedIn;
    },
    clear: (request: FastifyRequest, reply: FastifyReply): void => {
      void reply.clearCookie(name, attributes(request));
    },
  };
};

export const authHandlers = (deps: Deps): Pick<Handlers, keyof typeof authRoutes> => {
  const { newAccounts, ownAccount, sessions, links } = deps;
  const refreshCookie = createRefreshCookie(deps.config, deps.keys);
  const originOf = ({ ip, request }: Pick<RequestContext<never>, 'ip' | 'request'>) => ({ ip, requestId: request.id });

  return {
    getAuthState: async () => ({
      firstAdminNeeded: !(await deps.isAdminThere()),
      registration: (await deps.settings.read()).registration,
      demo: deps.isDemo,
      version: deps.config.version,
    }),
    redeemAdminLink: async ({ body, request, reply, ip }) =>
      refreshCookie.set(
        request,
        reply,
        await newAccounts.redeemAdminLink(body.secret, newAccount(body), browserOf({ request, ip })),
      ),
    checkLink: async ({ body, ip }) => {
      const giveBack = deps.limits.link(ip);
      const link = await links.check(body.kind, body.secret);
      giveBack();
      return link;
    },
    signIn: async ({ body, request, reply, ip }) =>
      refreshCookie.set(request, reply, await deps.signIn(body.login, body.password, browserOf({ request, ip }))),
    register: async ({ body, request, reply, ip }) =>
      refreshCookie.set(
        request,
        reply,
        await newAccounts.register(body.invite ?? null, newAccount(body), browserOf({ request, ip })),
      ),
    refresh: async (context) => {
      const { request, reply } = context;
      return refreshCookie.set(request, reply, await sessions.refresh(refreshCookie.read(request), originOf(context)));
    },
    signOut: async (context) => {
      refreshCookie.clear(context.request, context.reply);
      await sessions.signOut(refreshCookie.read(context.request), originOf(context));
    },
    signOutEverywhere: async ({ user, request, reply, ip }) => {
      await ownAccount.signOutEverywhere(user, browserOf({ request, ip }));
      refreshCookie.clear(request, reply);
    },
    me: ({ user }) => ownAccount.me(user),
    updateMe: ({ user, body }) => ownAccount.updateMe(user, body),
    changePassword: ({ user, body, request, ip }) =>
      ownAccount.changePassword(
        user,
        { current: body.currentPassword, next: body.newPassword },
        browserOf({ request, ip }),
      ),
    listAuthSessions: async ({ user }) => ({ sessions: await sessions.list(user) }),
    revokeAuthSession: (context) => sessions.revoke(context.user, context.params.authSessionId, originOf(context)),
  };
};
