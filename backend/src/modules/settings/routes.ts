import type { settingRoutes } from '@sac/contracts';
import type { Handlers } from '../../lib/handlers.ts';
import type { SettingsService } from './service.ts';
import type { UserSettingsService } from './user-settings.ts';

export const settingHandlers = (
  settings: SettingsService,
  userSettings: UserSettingsService,
): Pick<Handlers, keyof typeof settingRoutes> => ({
  getSettings: () => settings.read(),
  updateSettings: ({ body, user, ip, request }) => settings.update(body, user.id, { ip, requestId: request.id }),
  getUserSettings: ({ params }) => userSettings.read(params.userId),
  updateUserSettings: ({ params, body, user, ip, request }) =>
    userSettings.update(params.userId, body, user.id, { ip, requestId: request.id }),
});
