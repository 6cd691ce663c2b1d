import type { volumeRoutes } from '@sac/contracts';
import type { Handlers } from '../../lib/handlers.ts';
import type { VolumesService } from './service.ts';

export const volumeHandlers = (volumes: VolumesService): Pick<Handlers, keyof typeof volumeRoutes> => ({
  listLeftVolumes: async () => ({ volumes: await volumes.list() }),
  adoptVolume: ({ params, body, user, ip, request }) =>
    volumes.adopt(params, body.agentUid, user.id, { ip, requestId: request.id }),
  deleteVolume: ({ params, user, ip, request }) => volumes.remove(params, user.id, { ip, requestId: request.id }),
});
