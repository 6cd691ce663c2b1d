import { createAttemptLimits } from '../modules/auth/attempts.ts';
import { createLinksService, isAdminThere } from '../modules/auth/links.ts';
import { createNewAccountsService } from '../modules/auth/new-accounts.ts';
import { createOwnAccountService } from '../modules/auth/own-account.ts';
import { createPasswordHasher } from '../modules/auth/password-hasher.ts';
import { authHandlers } from '../modules/auth/routes.ts';
import { createSessionsService } from '../modules/auth/sessions.ts';
import { createSignIn } from '../modules/auth/sign-in.ts';
import { eventHandlers } from '../modules/events/routes.ts';
import { createEventsService } from '../modules/events/service.ts';
import { CLUSTER_IDLE_MINUTES } from '../modules/settings/declarations.ts';
import { settingHandlers } from '../modules/settings/routes.ts';
import { createSettingsService } from '../modules/settings/service.ts';
import { createUserSettingsService } from '../modules/settings/user-settings.ts';
import { userHandlers } from '../modules/users/routes.ts';
import { createUsersService } from '../modules/users/service.ts';
import type { GatewayDeps } from './gateway-deps.ts';

/** Accounts, settings and events: everything the gateway knows about people. */
export const createAccountsPart = (deps: GatewayDeps) => {
  const { db, config, keys, logger } = deps;
  const hasher = createPasswordHasher(deps.tuning?.passwordHasher);
  const limits = createAttemptLimits();
  const settings = createSettingsService({
    db,
    logger,
    pods: config.cluster,
    defaults: deps.runtime.kind === 'kubernetes' ? { idleMinutes: CLUSTER_IDLE_MINUTES } : {},
  });
  const userSettings = createUserSettingsService({ db, logger, settings, pods: config.cluster });
  const sessions = createSessionsService({ db, keys, logger });
  const links = createLinksService({ db });
  const signIn = createSignIn({ db, hasher, sessions, limits });
  const newAccounts = createNewAccountsService({ db, hasher, sessions, settings, limits });
  const ownAccount = createOwnAccountService({ db, hasher, sessions, limits });
  const users = createUsersService({ db, sessions, links });
  const events = createEventsService({
    db,
    notifications: deps.notifications,
    logger,
    version: config.version,
    staleSince: () => deps.runtime.stale?.()?.since ?? null,
    ...deps.tuning?.events,
    isAllowed: sessions.isLive,
  });

  const auth = authHandlers({
    signIn,
    newAccounts,
    ownAccount,
    sessions,
    links,
    settings,
    limits,
    config,
    keys,
    isAdminThere: () => isAdminThere(db),
    isDemo: deps.demo !== null,
  });
  return {
    handlers: {
      ...auth,
      ...userHandlers({ users, links }),
      ...settingHandlers(settings, userSettings),
      ...eventHandlers(events),
    },
    sessions,
    settings,
    userSettings,
    events,
    hasher,
  };
};
