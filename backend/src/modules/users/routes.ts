import type { userRoutes } from '@sac/contracts';
import type { Handlers } from '../../lib/handlers.ts';
import type { LinksService } from '../auth/links.ts';
import type { UsersService } from './service.ts';

interface Deps {
  readonly users: UsersService;
  readonly links: LinksService;
}

export const userHandlers = ({ users, links }: Deps): Pick<Handlers, keyof typeof userRoutes> => ({
  listUsers: ({ query }) => users.list(query),
  updateUser: ({ params, body, user, ip, request }) =>
    users.update(params.userId, body, user, { ip, requestId: request.id }),
  listInvites: async () => ({ invites: await links.listInvites() }),
  createInvite: ({ body, user, ip, request }) =>
    links.createInvite({ ...body, email: body.email ?? null }, user, { ip, requestId: request.id }),
  deleteInvite: ({ params, user, ip, request }) =>
    links.deleteInvite(params.inviteId, user, { ip, requestId: request.id }),
});
