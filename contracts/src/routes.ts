import { agentRoutes } from './agents.ts';
import { authRoutes } from './auth.ts';
import { eventRoutes } from './events.ts';
import { promptRoutes } from './prompts.ts';
import { sessionRoutes } from './sessions.ts';
import { systemRoutes } from './system.ts';
import { settingRoutes, userRoutes } from './users.ts';
import { volumeRoutes } from './volumes.ts';

/** Every HTTP route of the product. The server refuses to boot when one of them has no handler. */
export const routes = {
  ...authRoutes,
  ...userRoutes,
  ...settingRoutes,
  ...agentRoutes,
  ...sessionRoutes,
  ...promptRoutes,
  ...eventRoutes,
  ...systemRoutes,
  ...volumeRoutes,
} as const;
export type Routes = typeof routes;
export type RouteName = keyof Routes;
