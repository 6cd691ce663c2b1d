import type { KeyObject } from 'node:crypto';
import type { Database } from '../../db/database.ts';
import { verifyInternalCredential } from '../../lib/agent-keys.ts';
import { AppError } from '../../lib/app-error.ts';

/** Who a sidecar is. Everything it may touch is decided from this, never from ids it sends. */
export interface SidecarIdentity {
  readonly agentId: string;
  readonly agentUid: string;
  readonly ownerId: string;
  readonly generation: number;
}

const bearer = (header: string | undefined): string => /^Bearer ([\x21-\x7e]{1,200})$/.exec(header ?? '')?.[1] ?? '';

/**
 * Throws `unauthenticated` for anything but a credential of this server for an agent that exists, and
 * `generation_replaced` for a sandbox that was replaced.
 */
export const authenticateSidecar = async (
  db: Database,
  master: KeyObject,
  authorization: string | undefined,
): Promise<SidecarIdentity> => {
  const claims = verifyInternalCredential(master, bearer(authorization));
  if (!claims) throw new AppError('unauthenticated', 'This is not a credential of a sandbox of this server.');
  const agent = await db
    .selectFrom('agents')
    .select(['id', 'owner_id', 'generation'])
    .where('uid', '=', claims.agentUid)
    .executeTakeFirst();
  if (!agent) throw new AppError('unauthenticated', 'The agent of this credential does not exist.');
  if (agent.generation !== claims.generation) {
    throw new AppError(
      'generation_replaced',
      `This sandbox is generation ${claims.generation}; generation ${agent.generation} replaces it.`,
    );
  }
  return { agentId: agent.id, agentUid: claims.agentUid, ownerId: agent.owner_id, generation: claims.generation };
};
