import type { KeyObject } from 'node:crypto';
import { Type, type Static } from 'typebox';

/**
 * What `sac` and its ws-proxy child tell each other over IPC. An upgrade carries the client's TCP socket as
 * its handle: the child answers on it itself, so terminals do not pass through (or end with) the parent.
 */
const NonNegative = Type.Integer({ minimum: 0 });

export const RelayLimits = Type.Object({
  maxConnections: Type.Integer({ minimum: 1 }),
  maxConnectionsPerUser: Type.Integer({ minimum: 1 }),
  maxConnectionsPerAddress: Type.Integer({ minimum: 1 }),
  /** Longest time until the terminal server's 101, connecting included. */
  upstreamTimeoutMs: Type.Integer({ minimum: 100 }),
  /** A connection without a byte in either direction for this long is ended; terminal servers ping far more often. */
  idleTimeoutMs: Type.Integer({ minimum: 1_000 }),
  /** A client that has not taken the whole of one read for this long is ended. */
  stalledTimeoutMs: Type.Integer({ minimum: 1_000 }),
  keepAliveMs: Type.Integer({ minimum: 1_000 }),
});
export type RelayLimits = Static<typeof RelayLimits>;

export const defaultLimits: RelayLimits = {
  maxConnections: 10_000,
  maxConnectionsPerUser: 256,
  maxConnectionsPerAddress: 2_000,
  upstreamTimeoutMs: 5_000,
  idleTimeoutMs: 600_000,
  stalledTimeoutMs: 300_000,
  keepAliveMs: 30_000,
};

/** Which upstreams a ticket may name; what is not listed is refused. */
export const UpstreamPolicy = Type.Object({
  /** Absolute directory that unix sockets of terminal servers live in (at any depth); null: no unix sockets. */
  unixDirectory: Type.Union([Type.String(), Type.Null()]),
  tcp: Type.Boolean(),
});
export type UpstreamPolicy = Static<typeof UpstreamPolicy>;

export const RelayConfig = Type.Object({
  ticketKeys: Type.Array(
    Type.Object({ kid: Type.String({ minLength: 1 }), keyBase64: Type.String({ minLength: 43 }) }),
    { minItems: 1 },
  ),
  /** `scheme://host[:port]`, compared as parsed origins. */
  allowedOrigins: Type.Array(Type.String(), { minItems: 1, maxItems: 64 }),
  upstream: UpstreamPolicy,
  limits: Type.Optional(Type.Partial(RelayLimits)),
});
export type RelayConfig = Static<typeof RelayConfig>;

/** A WebSocket handshake as it arrived. `rawHeaders` alternates names and values as in node:http. */
export const UpgradeRequest = Type.Object({
  method: Type.String(),
  url: Type.String(),
  httpVersion: Type.String(),
  rawHeaders: Type.Array(Type.String()),
  /** Address of the person, after trusted proxies were taken into account. */
  remoteAddress: Type.String(),
});
export type UpgradeRequest = Static<typeof UpgradeRequest>;

const AuthSessions = Type.Array(Type.String({ pattern: '^[0-9]{1,19}$' }), { maxItems: 1_000 });

/** Browser sessions that have ended: sign-out, password change, account disabled. */
export const Revocation = Type.Object({ authSessions: AuthSessions });
export type Revocation = Static<typeof Revocation>;

export const ParentMessage = Type.Union([
  Type.Object({
    type: Type.Literal('configure'),
    config: RelayConfig,
    /** Unix socket to be told revocations at, by this parent and those after it. */
    controlSocket: Type.Optional(Type.String()),
    /** Ended a moment ago, while no proxy was there to be told. */
    revoked: Type.Optional(AuthSessions),
  }),
  Type.Object({ type: Type.Literal('upgrade'), request: UpgradeRequest, headBase64: Type.String() }),
  /** Asks for the metrics text; answered with the same id. */
  Type.Object({ type: Type.Literal('metrics'), id: NonNegative }),
]);
export type ParentMessage = Static<typeof ParentMessage>;

export const ChildMessage = Type.Union([
  /** Configured; upgrades may be handed over. */
  Type.Object({ type: Type.Literal('ready') }),
  Type.Object({ type: Type.Literal('metrics'), id: NonNegative, text: Type.String() }),
]);
export type ChildMessage = Static<typeof ChildMessage>;

/** Keys in the form that survives JSON. */
export const encodeTicketKeys = (
  keys: readonly { readonly kid: string; readonly key: KeyObject }[],
): RelayConfig['ticketKeys'] => keys.map(({ kid, key }) => ({ kid, keyBase64: key.export().toString('base64') }));
