import { Type, type Static } from 'typebox';
import { Agent } from './agents.ts';
import { User } from './auth.ts';
import { Id, nullable, strict, Timestamp } from './primitives.ts';
import { Prompt } from './prompts.ts';
import { route } from './route.ts';
import { Terminal } from './sessions.ts';

/** Without its two large fields if they are long; a page that does not know them yet asks `getAgent`. */
const AgentNews = strict({
  ...Agent.properties,
  instructions: Type.Optional(Agent.properties.instructions),
  environment: Type.Optional(Agent.properties.environment),
});
export type AgentNews = Static<typeof AgentNews>;

/**
 * One event of `GET /api/events`. On the wire it is a server-sent event: `id:` the position for replay
 * (Last-Event-ID), `event:` the type, `data:` the JSON of this object.
 * `resync` says that events were missed for good: load the lists anew.
 */
export const ServerEvent = Type.Union([
  /** At the beginning, and again when one of the two changes: since when the states of agents may be old, for the cluster does not answer. */
  strict({ type: Type.Literal('hello'), version: Type.String(), staleSince: nullable(Timestamp) }),
  strict({ type: Type.Literal('resync') }),
  strict({ type: Type.Literal('agent'), agent: AgentNews }),
  strict({ type: Type.Literal('agent-deleted'), agentId: Id }),
  strict({ type: Type.Literal('terminals'), agentId: Id, terminals: Type.Array(Terminal) }),
  strict({ type: Type.Literal('prompt'), prompt: Prompt }),
  /** Of those that were moved; their texts are not sent again. */
  strict({
    type: Type.Literal('prompt-places'),
    agentId: Id,
    places: Type.Array(Type.Pick(Prompt, ['id', 'position'])),
  }),
  strict({ type: Type.Literal('account'), user: User }),
  strict({ type: Type.Literal('signed-out') }),
]);
export type ServerEvent = Static<typeof ServerEvent>;

export const eventRoutes = {
  streamEvents: route({
    method: 'GET',
    path: '/api/events',
    access: 'user',
    tag: 'Events',
    status: 200,
    kind: 'stream',
    summary: 'Changes of everything the account may see, as server-sent events with replay by Last-Event-ID',
  }),
} as const;
