import type { sessionRoutes } from '@sac/contracts';
import type { Handlers } from '../../lib/handlers.ts';
import type { TerminalService } from '../terminals/service.ts';
import type { SessionService } from './service.ts';

export const sessionHandlers = (
  sessions: SessionService,
  terminals: TerminalService,
): Pick<Handlers, keyof typeof sessionRoutes> => ({
  openSession: ({ user, body }) => sessions.open(user, body.agentId),
  closeSession: ({ user, params }) => sessions.close(user, params.sessionId),
  notePresence: ({ user, params }) => sessions.notePresence(user, params.sessionId),
  listTerminals: ({ user, params }) => terminals.list(user, params.sessionId),
  createTerminal: ({ user, params, signal }) => terminals.create(user, params.sessionId, signal),
  closeTerminal: ({ user, params, signal }) => terminals.close(user, params.sessionId, params.name, signal),
  createTicket: ({ user, params, body }) => terminals.ticket(user, { ...params, mode: body.mode }),
});
