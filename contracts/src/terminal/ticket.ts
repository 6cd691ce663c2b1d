import { Type, type Static } from 'typebox';
import { nullable, oneOf, strict } from '../primitives.ts';
import { TerminalName, terminalModes } from '../sessions.ts';

export const TICKET_TTL_SECONDS = 30;
export const TICKET_AUDIENCE = 'terminal';
export const INNER_AUDIENCE = 'terminal-server';

/** Where the terminal server listens. `host` is the pod's address, `fallbackHost` its headless-Service name. */
export const Upstream = Type.Union([
  strict({ kind: Type.Literal('unix'), path: Type.String({ maxLength: 107 }) }),
  strict({
    kind: Type.Literal('tcp'),
    host: Type.String(),
    port: Type.Integer(),
    fallbackHost: nullable(Type.String()),
  }),
]);
export type Upstream = Static<typeof Upstream>;

/** Claims of the ticket (HS256, `kid`, `aud: terminal`), checked by ws-proxy. `exp`, `iat`, `jti` besides. */
export const TicketClaims = Type.Object({
  jti: Type.String(),
  /** User id. */
  sub: Type.String(),
  session: Type.String(),
  /** Browser session it was asked for in; its end cuts the connection. */
  authSession: Type.String(),
  agentUid: Type.String(),
  generation: Type.Integer(),
  terminal: TerminalName,
  mode: oneOf(terminalModes),
  upstream: Upstream,
  /** Token for the terminal server, signed with the agent's own terminal key. */
  inner: Type.String(),
});
export type TicketClaims = Static<typeof TicketClaims>;

/** Claims of the inner token (HS256 with the agent's terminal key, `aud: terminal-server`). Single use by `jti`. */
export const InnerClaims = Type.Object({
  jti: Type.String(),
  sub: Type.String(),
  /** Shown to other viewers. */
  userName: Type.String(),
  agentUid: Type.String(),
  generation: Type.Integer(),
  terminal: TerminalName,
  mode: oneOf(terminalModes),
});
export type InnerClaims = Static<typeof InnerClaims>;
