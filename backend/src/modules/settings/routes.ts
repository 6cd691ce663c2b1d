import type { settingRoutes } from '@sac/contracts';
import type { Handlers } from '../../lib/handlers.ts';
import type { SettingsService } from './service.ts';

export const settingHandlers = (settings: SettingsService): Pick<Handlers, keyof typeof settingRoutes> => ({
  getSettings: () => settings.read(),
  updateSettings: ({ body, user, ip, request }) => settings.update(body, user.id, { ip, requestId: request.id }),
});
