import { Type, type Static } from 'typebox';
import { EnvironmentVariable } from './agent-environment.ts';
import { AgentFailure, ModelProvider, permissionModes, ProxySettings, StartPhase } from './agents.ts';
import { cliNames } from './clis.ts';
import { nullable, oneOf, strict, Timestamp } from './primitives.ts';

/**
 * Local runtime ⇄ the supervisor process of one sandbox. The configuration goes to the supervisor's standard
 * input (it holds secrets, so it is never a file or an argument); afterwards both talk over `status.sock`:
 * the supervisor writes one SupervisorStatus per line, whole state each time, and reads SupervisorRequest lines.
 * A supervisor outlives the server that started it, so both sides ignore fields they do not know.
 */
export const SupervisorConfig = Type.Object({
  agentUid: Type.String({ pattern: '^[A-Za-z0-9-]{1,64}$' }),
  generation: Type.Integer(),
  specHash: Type.String(),
  agentName: Type.String(),
  cli: oneOf(cliNames),
  permissionMode: oneOf(permissionModes),
  instructions: Type.String(),
  provider: nullable(ModelProvider),
  providerToken: nullable(Type.String()),
  proxy: ProxySettings,
  environment: Type.Array(EnvironmentVariable),
  terminalKey: Type.String(),
  internalCredential: Type.String(),
  internalSocketPath: Type.String(),
  /** Directories of this agent; `runDir` holds the sockets and is never visible in a sandbox, except its `inside` folder. */
  paths: strict({
    home: Type.String(),
    workspace: Type.String(),
    temporary: Type.String(),
    state: Type.String(),
    runDir: Type.String(),
    logFile: Type.String(),
  }),
  /** Installation folder of the CLI (holds `node_modules`); null for the shell profile. */
  cliDir: nullable(Type.String()),
  nodePath: Type.String(),
  /** Our own code as seen in the sandbox: folders to show there, and entry files below them. */
  code: strict({
    mounts: Type.Array(strict({ from: Type.String(), to: Type.String() })),
    terminalServer: Type.String(),
    hook: Type.String(),
    seed: Type.String(),
  }),
  isolation: Type.Union([
    strict({ kind: Type.Literal('none') }),
    /** `user-namespace`: bubblewrap makes one. `separate-user`: bubblewrap runs as root and hands over to `hostUid`. */
    strict({ kind: Type.Literal('user-namespace'), bwrapPath: Type.String() }),
    strict({
      kind: Type.Literal('separate-user'),
      bwrapPath: Type.String(),
      setprivPath: Type.String(),
      hostUid: Type.Integer({ minimum: 1 }),
    }),
  ]),
  /** Record of the terminals; without it none is kept. */
  recording: Type.Optional(strict({ isOn: Type.Boolean(), totalBytes: Type.Integer({ minimum: 1024 * 1024 }) })),
  /** Phases that ended before the supervisor started. */
  phases: Type.Array(StartPhase),
});
export type SupervisorConfig = Static<typeof SupervisorConfig>;
export type SandboxIsolation = SupervisorConfig['isolation'];

export const SupervisorStatus = Type.Object({
  agentUid: Type.String(),
  generation: Type.Integer(),
  specHash: Type.String(),
  pid: Type.Integer(),
  state: oneOf(['starting', 'running', 'stopping', 'failed'] as const),
  since: Timestamp,
  phases: Type.Array(StartPhase),
  failure: nullable(AgentFailure),
  terminalSocket: Type.String(),
});
export type SupervisorStatus = Static<typeof SupervisorStatus>;

export const SupervisorRequest = Type.Object({
  kind: Type.Literal('stop'),
  graceMs: Type.Integer({ minimum: 0, maximum: 600_000 }),
});
export type SupervisorRequest = Static<typeof SupervisorRequest>;

/** `supervisor.json` in the agent's state folder: enough to find a running supervisor again. */
export const SupervisorRecord = Type.Object({
  pid: Type.Integer(),
  /** Clock ticks since boot (field 22 of /proc/<pid>/stat): tells a reused process id apart. */
  startTime: Type.String(),
  agentUid: Type.String(),
  generation: Type.Integer(),
  specHash: Type.String(),
  statusSocket: Type.String(),
});
export type SupervisorRecord = Static<typeof SupervisorRecord>;
