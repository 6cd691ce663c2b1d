import type { User } from '@sac/contracts';
import { AppError } from '../../lib/app-error.ts';
import type { AuthenticatedUser } from '../../lib/handlers.ts';
import type { Isolation } from '../../runtimes/runtime.ts';

/** Whoever acts on agents of their own. */
export type Owner = Pick<AuthenticatedUser, 'id' | 'role'>;

/**
 * An agent that is not isolated can read the server's keys. So where isolation is impossible only
 * administrators run agents, unless the operator has decided otherwise.
 */
export const mayRunAgents = (role: User['role'], isolation: Isolation, allowUnisolated: boolean): boolean =>
  isolation.isolated || role === 'admin' || allowUnisolated;

export const assertMayRunAgents = (role: User['role'], isolation: Isolation, allowUnisolated: boolean): void => {
  if (mayRunAgents(role, isolation, allowUnisolated)) return;
  const reason = isolation.reason ?? 'Sandboxes cannot be isolated on this server.';
  const fix = isolation.fix ?? 'An administrator can enable isolation.';
  throw new AppError('isolation_unavailable', `Only administrators may run agents here. ${reason} ${fix}`, {
    reason,
    fix,
  });
};
