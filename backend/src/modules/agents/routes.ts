import type { agentRoutes } from '@sac/contracts';
import type { Handlers } from '../../lib/handlers.ts';
import type { IdleService } from '../idle/service.ts';
import type { ConnectionTester } from '../providers/connection-test.ts';
import type { AgentService } from './service.ts';

export const agentHandlers = (
  agents: AgentService,
  tester: ConnectionTester,
  idle: IdleService,
): Pick<Handlers, keyof typeof agentRoutes> => ({
  listAgents: ({ user }) => agents.list(user),
  getAgent: ({ user, params }) => agents.get(user, params.agentId),
  createAgent: ({ user, body }) => agents.create(user, body),
  updateAgent: ({ user, params, body }) => agents.update(user, params.agentId, body),
  deleteAgent: ({ user, params }) => agents.remove(user, params.agentId),
  restoreAgent: ({ user, params }) => agents.restore(user, params.agentId),
  restartAgent: ({ user, params }) => agents.restart(user, params.agentId),
  sleepAgent: ({ user, params }) => agents.sleep(user, params.agentId),
  keepAwake: ({ user, params, body }) => idle.keepAwake(user, params.agentId, body.minutes),
  explainAwake: ({ user, params }) => idle.explain(user, params.agentId),
  getUsage: async ({ user, params }) => ({ usage: await agents.usage(user, params.agentId) }),
  testConnection: ({ user, body, signal }) => tester.test(user, body, signal),
});
