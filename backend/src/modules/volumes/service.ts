import type { LeftVolume } from '@sac/contracts';
import type { Database } from '../../db/database.ts';
import { AppError, notFound } from '../../lib/app-error.ts';
import type { LeftObjects, SandboxVolume } from '../../runtimes/runtime.ts';
import { recordAudit, type Origin } from '../audit/record.ts';
import type { HealthCheck } from '../system/health-check.ts';

export type VolumeName = Pick<SandboxVolume, 'namespace' | 'name'>;

export interface VolumesService {
  /** Never one that belongs to an agent, deleted ones in their grace period included. */
  list(): Promise<LeftVolume[]>;
  adopt(volume: VolumeName, agentUid: string, actorId: string, origin: Origin): Promise<void>;
  remove(volume: VolumeName, actorId: string, origin: Origin): Promise<void>;
  readonly check: HealthCheck;
}

interface KnownAgent {
  readonly id: string;
  readonly uid: string;
  readonly ownerId: string;
  readonly name: string;
  readonly owner: string;
  readonly isDeleted: boolean;
}

const DATABASE_ID = /^[1-9][0-9]{0,17}$/;
const BATCH = 500;

/** The agents that volumes say they belong to, or whose place they take, by id. */
const agentsOf = async (db: Database, volumes: readonly SandboxVolume[]): Promise<Map<string, KnownAgent>> => {
  const ids = [
    ...new Set(volumes.flatMap(({ agentId }) => (agentId !== null && DATABASE_ID.test(agentId) ? [agentId] : []))),
  ];
  const found = new Map<string, KnownAgent>();
  for (let from = 0; from < ids.length; from += BATCH) {
    const rows = await db
      .selectFrom('agents')
      .innerJoin('users', 'users.id', 'agents.owner_id')
      .select(['agents.id', 'agents.uid', 'agents.owner_id', 'agents.name', 'users.username', 'agents.deleted_at'])
      .where('agents.id', 'in', ids.slice(from, from + BATCH))
      .execute();
    for (const { id, uid, owner_id: ownerId, name, username: owner, deleted_at: deletedAt } of rows)
      found.set(id, { id, uid, ownerId, name, owner, isDeleted: deletedAt !== null });
  }
  return found;
};

export const createVolumesService = ({ db, left }: { db: Database; left: LeftObjects | undefined }): VolumesService => {
  const unavailable = (cause: unknown): never => {
    throw new AppError(
      'unavailable',
      'The cluster did not do it. Try again; the log of the server says why.',
      {},
      { cause },
    );
  };

  const list = async (): Promise<LeftVolume[]> => {
    const volumes = left?.volumes() ?? [];
    const agents = await agentsOf(db, volumes);
    const taken = new Set(volumes.filter(({ isOwn }) => isOwn).map(({ agentUid }) => agentUid));
    return volumes.flatMap((volume) => {
      const agent = agents.get(volume.agentId ?? '');
      if (volume.isOwn && agent !== undefined && agent.uid === volume.agentUid) return [];
      const fits = agent !== undefined && agent.ownerId === volume.userId && !agent.isDeleted && !taken.has(agent.uid);
      const { namespace, name, size } = volume;
      const candidate = fits ? { uid: agent.uid, name: agent.name, owner: agent.owner } : null;
      return [
        { namespace, name, size, createdAt: volume.createdAt.toISOString(), isForeign: !volume.isOwn, candidate },
      ];
    });
  };

  const find = async ({ namespace, name }: VolumeName): Promise<LeftVolume> => {
    const found = (await list()).find((each) => each.namespace === namespace && each.name === name);
    if (found === undefined) throw notFound('This volume');
    return found;
  };

  return {
    list,
    adopt: async (volume, agentUid, actorId, origin) => {
      const { candidate, isForeign } = await find(volume);
      if (candidate === null || candidate.uid !== agentUid)
        throw new AppError(
          'conflict',
          'This volume does not fit that agent: its name is made for another one, or that one has a volume already.',
        );
      const details = { volume: `${volume.namespace}/${volume.name}`, isForeign };
      const target = { type: 'agent', id: agentUid };
      await recordAudit(db, { action: 'volume.adopted', actorId, target, details, origin });
      await left?.adopt(volume, agentUid).catch(unavailable);
    },
    remove: async (volume, actorId, origin) => {
      const { isForeign, size } = await find(volume);
      const target = { type: 'volume', id: `${volume.namespace}/${volume.name}` };
      await recordAudit(db, { action: 'volume.deleted', actorId, target, details: { isForeign, size }, origin });
      await left?.deleteVolume(volume).catch(unavailable);
    },
    check: {
      name: 'volumes',
      check: async () => {
        const found = await list();
        if (found.length === 0) return { state: 'ok', detail: 'Every volume belongs to an agent.', fix: null };
        return {
          state: 'warning',
          detail: `${found.length} ${found.length === 1 ? 'volume belongs' : 'volumes belong'} to no agent; the oldest is ${found[0]?.namespace}/${found[0]?.name}.`,
          fix: 'Look at Admin › Volumes: hand each to its agent, or delete it.',
        };
      },
    },
  };
};
