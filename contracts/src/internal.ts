import { Type, type Static } from 'typebox';
import { multilineText, nullable, oneOf, strict, Timestamp } from './primitives.ts';
import { PROMPT_MAX_BYTES } from './prompts.ts';
import { SignalName, Terminal, TerminalName } from './sessions.ts';

/**
 * Sidecar ⇄ gateway, on the internal listener (a unix socket on one machine, port 8082 in a cluster).
 * Every request carries `Authorization: Bearer <agentUid>.<generation>.<mac>`; who is asking and what it
 * may touch is decided from that alone, never from a path or body.
 *
 *   GET  /internal/commands              NDJSON stream of SandboxCommand, `{"kind":"heartbeat"}` every 15 s;
 *                                        commands not yet acknowledged are sent again after a reconnect
 *   POST /internal/commands/:id/result   CommandResult -> 204
 *   POST /internal/report                SandboxReport -> 204; whole state each time, newest `sequence` wins
 *   GET  /internal/uploads/:id           bytes of one upload, named by a `writeFile` command
 */
export const internalPaths = {
  commands: '/internal/commands',
  commandResult: (id: string) => `/internal/commands/${encodeURIComponent(id)}/result`,
  report: '/internal/report',
  upload: (id: string) => `/internal/uploads/${encodeURIComponent(id)}`,
  revocations: '/internal/revocations',
} as const;
export const COMMAND_HEARTBEAT_MS = 15_000;

/**
 * `GET /internal/revocations` with `Authorization: Bearer <credential of ws-proxy>`: NDJSON, first all browser sessions
 * that ended in the last 24 hours, from then on each as it ends.
 */
export const RevocationLine = Type.Union([
  strict({
    kind: Type.Literal('ended'),
    authSessions: Type.Array(Type.String({ pattern: '^[0-9]{1,19}$' }), { maxItems: 1_000 }),
  }),
  /** The clock that tickets are signed by, epoch milliseconds; before each `current`. */
  strict({ kind: Type.Literal('clock'), nowMs: Type.Number() }),
  /** Everything that ended until now has been told; every 15 s while the database says so. */
  strict({ kind: Type.Literal('current') }),
  /** Every 15 s: the server is there. */
  strict({ kind: Type.Literal('heartbeat') }),
]);
export type RevocationLine = Static<typeof RevocationLine>;

const commandBase = { id: Type.String(), issuedAt: Timestamp };
export const SandboxCommand = Type.Union([
  strict({
    ...commandBase,
    kind: Type.Literal('prompt'),
    promptId: Type.String(),
    text: Type.String({ maxLength: PROMPT_MAX_BYTES }),
  }),
  strict({ ...commandBase, kind: Type.Literal('interrupt') }),
  strict({ ...commandBase, kind: Type.Literal('openTerminal') }),
  strict({ ...commandBase, kind: Type.Literal('closeTerminal'), name: TerminalName }),
  strict({
    ...commandBase,
    kind: Type.Literal('writeFile'),
    uploadId: Type.String(),
    name: Type.String(),
    sizeBytes: Type.Integer(),
  }),
]);
export type SandboxCommand = Static<typeof SandboxCommand>;
export const CommandStreamLine = Type.Union([SandboxCommand, strict({ kind: Type.Literal('heartbeat') })]);
export type CommandStreamLine = Static<typeof CommandStreamLine>;

/**
 * `done`: carried out; `failed`: certainly not carried out; `unknown`: cannot be decided, ask the person.
 * `value` per kind: openTerminal -> Terminal, writeFile -> {path, sizeBytes}.
 */
export const CommandResult = strict({
  outcome: oneOf(['done', 'failed', 'unknown'] as const),
  reason: nullable(Type.String({ maxLength: 2000 })),
  value: Type.Optional(
    Type.Union([Terminal, strict({ path: Type.String({ maxLength: 4_096 }), sizeBytes: Type.Integer() })]),
  ),
});
export type CommandResult = Static<typeof CommandResult>;

export const activityStates = ['starting', 'ready', 'working', 'waiting', 'ended', 'crashed'] as const;

/** Everything a sandbox says about itself. `sequence` grows by one per report within one sidecar process. */
export const SandboxReport = strict({
  sidecarId: Type.String({ maxLength: 64 }),
  sequence: Type.Integer(),
  activity: strict({
    state: oneOf(activityStates),
    since: Timestamp,
    /** "Bash: npm test", "allow Bash?"; from hooks and the CLI's state file, never from the screen. */
    text: nullable(Type.String({ maxLength: 200 })),
  }),
  conversationId: nullable(Type.String({ maxLength: 100 })),
  terminals: Type.Array(Terminal, { maxItems: 16 }),
  /** Filled when the CLI keeps ending: last exit, how often, last plain-text output. */
  crash: nullable(
    strict({
      exitCode: nullable(Type.Integer()),
      signal: nullable(SignalName),
      restarts: Type.Integer(),
      gaveUp: Type.Boolean(),
      output: multilineText(8192),
    }),
  ),
});
export type SandboxReport = Static<typeof SandboxReport>;
