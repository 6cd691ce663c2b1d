import { Type, type Static } from 'typebox';
import { Agent } from './agents.ts';
import { Empty, Id, nullable, oneOf, strict, Timestamp } from './primitives.ts';
import { route } from './route.ts';

/** `main` runs the agent's CLI, `shell-1` … run a shell. */
export const TerminalName = Type.String({ pattern: '^(main|shell-[1-9][0-9]?)$', maxLength: 8 });
export const terminalModes = ['control', 'view'] as const;
export type TerminalMode = (typeof terminalModes)[number];

/** `SIGKILL`, `SIGRTMIN+3`. What a sandbox says of itself is stored and told to browsers: each part of it has a length. */
export const SignalName = Type.String({ maxLength: 32 });

export const Terminal = strict({
  name: TerminalName,
  title: Type.String({ maxLength: 256 }),
  running: Type.Boolean(),
  viewers: Type.Integer(),
  exit: nullable(strict({ code: nullable(Type.Integer()), signal: nullable(SignalName) })),
  /** Another program than the terminal's own has the foreground. Absent: an older sandbox does not say. */
  busy: Type.Optional(Type.Boolean()),
});
export type Terminal = Static<typeof Terminal>;

export const Session = strict({ id: Id, agentId: Id, openedAt: Timestamp, lastActiveAt: Timestamp });
export type Session = Static<typeof Session>;

const tag = 'Sessions';
const params = strict({ sessionId: Id });

export const sessionRoutes = {
  openSession: route({
    method: 'POST',
    path: '/api/sessions',
    access: 'user',
    tag,
    status: 201,
    summary: 'Open an agent: asks for its sandbox to be awake and answers at once; progress comes as events',
    body: strict({ agentId: Id }),
    response: strict({ session: Session, agent: Agent }),
    errors: ['not_found', 'isolation_unavailable', 'limit_reached'],
  }),
  closeSession: route({
    method: 'DELETE',
    path: '/api/sessions/:sessionId',
    access: 'user',
    tag,
    status: 204,
    summary: 'End a session; the sandbox goes on',
    params,
    errors: ['not_found'],
  }),
  /** From a page that is seen and used, at most once a minute; a page that is only open says nothing. */
  notePresence: route({
    method: 'POST',
    path: '/api/sessions/:sessionId/presence',
    access: 'user',
    tag,
    status: 204,
    summary: 'Somebody is there: the agent is not put to sleep yet',
    params,
    body: Empty,
    errors: ['not_found'],
  }),
  listTerminals: route({
    method: 'GET',
    path: '/api/sessions/:sessionId/terminals',
    access: 'user',
    tag,
    status: 200,
    summary: 'Terminals of the sandbox',
    params,
    response: strict({ terminals: Type.Array(Terminal) }),
    errors: ['not_found', 'asleep', 'not_ready'],
  }),
  createTerminal: route({
    method: 'POST',
    path: '/api/sessions/:sessionId/terminals',
    access: 'user',
    tag,
    status: 201,
    summary: 'Start a shell in the sandbox',
    params,
    body: Empty,
    response: Terminal,
    errors: ['not_found', 'asleep', 'not_ready', 'limit_reached'],
  }),
  closeTerminal: route({
    method: 'DELETE',
    path: '/api/sessions/:sessionId/terminals/:name',
    access: 'user',
    tag,
    status: 204,
    summary: 'End a shell and what runs in it; `main` cannot be closed',
    params: strict({ sessionId: Id, name: TerminalName }),
    errors: ['not_found', 'asleep', 'not_ready', 'conflict'],
  }),
  createTicket: route({
    method: 'POST',
    path: '/api/sessions/:sessionId/terminals/:name/ticket',
    access: 'user',
    tag,
    status: 201,
    summary: 'A 30-second single-use ticket for one terminal connection; never wakes an agent',
    params: strict({ sessionId: Id, name: TerminalName }),
    body: strict({ mode: oneOf(terminalModes) }),
    /** `url` is a path with query, relative to the page's origin: `/ws/<sessionId>?token=…`. */
    response: strict({ url: Type.String(), expiresAt: Timestamp }),
    errors: ['not_found', 'asleep', 'not_ready', 'isolation_unavailable'],
  }),
} as const;
