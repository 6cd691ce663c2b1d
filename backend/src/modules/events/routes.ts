import type { eventRoutes } from '@sac/contracts';
import type { Handlers } from '../../lib/handlers.ts';
import type { EventsService } from './service.ts';

const idPattern = /^(0|[1-9][0-9]{0,17})$/;

export const eventHandlers = (events: EventsService): Pick<Handlers, keyof typeof eventRoutes> => ({
  streamEvents: async ({ user, request, reply }) => {
    const given = request.headers['last-event-id'];
    const lastEventId = typeof given === 'string' && idPattern.test(given) ? given : null;
    // Set by hooks so far; what has no value yet is left out.
    const set = Object.entries(reply.getHeaders()).filter(([, value]) => value !== undefined);
    const headers = { ...Object.fromEntries(set), 'x-request-id': request.id };
    const takeOver = () => {
      reply.hijack();
      return reply.raw;
    };
    await events.open({ user, lastEventId, headers, takeOver });
  },
});
