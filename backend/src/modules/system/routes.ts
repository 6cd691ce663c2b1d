import type { systemRoutes } from '@sac/contracts';
import type { Handlers } from '../../lib/handlers.ts';
import type { SystemService } from './service.ts';

export const systemHandlers = (system: SystemService): Pick<Handlers, keyof typeof systemRoutes> => ({
  getVersion: async () => ({ version: system.version() }),
  getCapabilities: ({ user }) => system.capabilities(user.id),
  adminHealth: async () => ({ parts: await system.health() }),
});
