import { Type, type Static } from 'typebox';
import { nullable, strict, Timestamp } from './primitives.ts';
import { route } from './route.ts';

/** A volume of a cluster that belongs to no agent of this installation. */
export const LeftVolume = strict({
  namespace: Type.String(),
  name: Type.String(),
  /** As the cluster writes it, such as `10Gi`. */
  size: Type.String(),
  createdAt: Timestamp,
  /** Made by another installation, or by one that had this database before. */
  isForeign: Type.Boolean(),
  /** Of the agent here that its name fits, and that can have it; null: there is none. */
  candidate: nullable(strict({ uid: Type.String(), name: Type.String(), owner: Type.String() })),
});
export type LeftVolume = Static<typeof LeftVolume>;

const DnsLabel = Type.String({ pattern: '^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$', maxLength: 63 });
const params = strict({ namespace: DnsLabel, name: DnsLabel });
const tag = 'System';

export const volumeRoutes = {
  listLeftVolumes: route({
    method: 'GET',
    path: '/api/admin/volumes',
    access: 'admin',
    tag,
    status: 200,
    summary: 'Volumes that belong to no agent: of deleted installations and restored databases. None on one machine',
    response: strict({ volumes: Type.Array(LeftVolume) }),
  }),
  adoptVolume: route({
    method: 'POST',
    path: '/api/admin/volumes/:namespace/:name/adopt',
    access: 'admin',
    tag,
    status: 204,
    summary: 'Hand a left volume to the agent whose name it has; its next start uses the files on it',
    params,
    body: strict({ agentUid: Type.String({ maxLength: 64 }) }),
    errors: ['not_found', 'conflict', 'unavailable'],
  }),
  deleteVolume: route({
    method: 'DELETE',
    path: '/api/admin/volumes/:namespace/:name',
    access: 'admin',
    tag,
    status: 204,
    summary: 'Delete a left volume with all files on it',
    params,
    errors: ['not_found', 'unavailable'],
  }),
} as const;
