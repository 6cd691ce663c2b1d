import { Type, type Static } from 'typebox';
import { EnvironmentVariable, MAX_ENVIRONMENT_VARIABLES } from './agent-environment.ts';
import { displayText, Empty, Id, multilineText, nullable, oneOf, strict, Timestamp } from './primitives.ts';
import { cliNames } from './clis.ts';
import { PodValues } from './pod-settings.ts';
import { providerProtocols } from './providers.ts';
import { route } from './route.ts';

/** What the CLI may do without asking. Claude Code's auto mode is always switched off. */
export const permissionModes = ['default', 'acceptEdits', 'bypass'] as const;
export type PermissionMode = (typeof permissionModes)[number];

/** Names of the icons an agent may wear; the frontend has a drawing for each. */
export const agentIcons = [
  'terminal',
  'bug',
  'cart',
  'tag',
  'database',
  'book',
  'chart',
  'chip',
  'rocket',
  'flask',
  'shield',
  'globe',
  'wrench',
  'pencil',
  'package',
  'branch',
  'cloud',
  'key',
  'mail',
  'bolt',
  'leaf',
  'music',
  'camera',
  'star',
] as const;

const Url = Type.String({ minLength: 8, maxLength: 500, pattern: '^https?://[^\\s\\u0000-\\u001f]+$' });
/** Some CLIs take it as an argument, where a leading dash would make it an option. */
const ModelName = Type.String({
  minLength: 1,
  maxLength: 200,
  pattern: '^[^\\s\\u0000-\\u001f\\u007f-][^\\s\\u0000-\\u001f\\u007f]*$',
});

/** Where the CLI sends its model requests. Absent for the shell profile. */
export const ModelProvider = strict({
  /** Id of a preset in `providerPresets`, or `custom`. */
  preset: Type.String({ minLength: 1, maxLength: 40 }),
  protocol: oneOf(providerProtocols),
  baseUrl: Url,
  models: strict({
    main: nullable(ModelName),
    strong: nullable(ModelName),
    small: nullable(ModelName),
  }),
});
export type ModelProvider = Static<typeof ModelProvider>;

export const ProxySettings = strict({
  httpProxy: nullable(Url),
  httpsProxy: nullable(Url),
  noProxy: nullable(Type.String({ maxLength: 1000, pattern: '^[^\\s\\u0000-\\u001f]*$' })),
});
export type ProxySettings = Static<typeof ProxySettings>;

/** A week at most. */
export const IdleMinutes = Type.Integer({ minimum: 0, maximum: 10_080 });

/** Record of all terminals of one agent, in MiB; 0: nothing is recorded. */
const AgentRecording = Type.Integer({ minimum: 0, maximum: 256 });

const AgentConfigFields = {
  name: displayText(1, 60),
  icon: oneOf(agentIcons),
  description: displayText(0, 200),
  instructions: multilineText(32_768),
  cli: oneOf(cliNames),
  permissionMode: oneOf(permissionModes),
  provider: nullable(ModelProvider),
  proxy: ProxySettings,
  environment: Type.Array(EnvironmentVariable, { maxItems: MAX_ENVIRONMENT_VARIABLES }),
};
/** Provider token. Write-only: sealed at rest, never sent back. */
const ProviderToken = Type.String({ minLength: 1, maxLength: 4096, pattern: '^[\\x21-\\x7e]+$' });

export const startPhaseNames = ['scheduling', 'pulling', 'starting', 'syncing', 'ready'] as const;
export type StartPhaseName = (typeof startPhaseNames)[number];

export const StartPhase = strict({
  name: oneOf(startPhaseNames),
  state: oneOf(['pending', 'active', 'done', 'failed'] as const),
  startedAt: nullable(Timestamp),
  durationMs: nullable(Type.Integer()),
  /** One line for a person: "Claude Code 2.1.329 · 210 of 361 MB". */
  detail: nullable(Type.String()),
  progress: nullable(
    strict({ done: Type.Integer(), total: Type.Integer(), unit: oneOf(['bytes', 'files', 'steps'] as const) }),
  ),
});
export type StartPhase = Static<typeof StartPhase>;

export const agentStates = ['asleep', 'starting', 'ready', 'working', 'waiting', 'stopping', 'failed'] as const;
export type AgentState = (typeof agentStates)[number];

export const AgentFailure = strict({
  /** Stable word for tests and support: `cli_install_failed`, `cli_crash_loop`, `storage_full`, `sandbox_start_failed`, … */
  code: Type.String(),
  reason: Type.String(),
  fix: Type.String(),
  /** Last output of the process, plain text, at most 8 KiB. */
  output: nullable(Type.String()),
});
export type AgentFailure = Static<typeof AgentFailure>;

export const awakeReasons = [
  'asleep',
  'slept_by_person',
  'slept_idle',
  'starting',
  'failed',
  'working',
  'waiting',
  'queued_prompts',
  'foreground_job',
  'kept_awake',
  'never_sleeps',
  'present',
  'idle',
] as const;
/** Why an agent is awake or asleep, with the evidence. */
export const AwakeReason = strict({
  code: oneOf(awakeReasons),
  /** The same as one English sentence. */
  sentence: Type.String(),
  /** Since when it holds. */
  since: nullable(Timestamp),
  /** `kept_awake`, `present`: at the earliest then it falls asleep. */
  until: nullable(Timestamp),
  /** `working`, `waiting`: at what; `queued_prompts`: how many; `foreground_job`: in which terminal. */
  detail: nullable(Type.String()),
  /** In force for this agent; 0: never. */
  idleMinutes: Type.Integer(),
});
export type AwakeReason = Static<typeof AwakeReason>;

/** What an agent's sandbox takes of the machine it runs on, and the most it may take. */
export const SandboxUsage = strict({
  /** Cores, as the mean of some seconds. */
  cpu: Type.Number(),
  /** Null: no limit. */
  cpuLimit: nullable(Type.Number()),
  memoryBytes: Type.Integer(),
  memoryLimitBytes: nullable(Type.Integer()),
  measuredAt: Timestamp,
});
export type SandboxUsage = Static<typeof SandboxUsage>;

export const AgentStatus = strict({
  state: oneOf(agentStates),
  since: Timestamp,
  /** What it does right now, from the CLI's hooks: "Bash: npm test", "allow Bash?". */
  activity: nullable(Type.String()),
  phases: Type.Array(StartPhase),
  failure: nullable(AgentFailure),
  /** Terminals can be connected to. Earlier than `ready`: the CLI in them may still be starting. */
  reachable: Type.Boolean(),
  /** The running sandbox was started from an older configuration. */
  restartRequired: Type.Boolean(),
  /** False: the sandbox is not isolated from the server (bubblewrap unavailable). */
  isolated: Type.Boolean(),
});
export type AgentStatus = Static<typeof AgentStatus>;

export const Agent = strict({
  id: Id,
  uid: Type.String(),
  ...AgentConfigFields,
  hasProviderToken: Type.Boolean(),
  /** Null: as the account's or the system's setting says; 0: never put to sleep. */
  idleMinutes: nullable(IdleMinutes),
  /** Null: as the system's setting says. */
  recordingMegabytes: nullable(AgentRecording),
  /** What this agent's sandbox gets in a cluster. */
  pod: PodValues,
  keepAwakeUntil: nullable(Timestamp),
  generation: Type.Integer(),
  /** Grows with every change that is told to browsers: what has a smaller one is older. */
  revision: Type.Integer(),
  status: AgentStatus,
  createdAt: Timestamp,
  updatedAt: Timestamp,
  lastActiveAt: nullable(Timestamp),
});
export type Agent = Static<typeof Agent>;

/** What is absent stays as it is; null goes back to the level above. */
const PodChange = Type.Partial(PodValues, { additionalProperties: false });

export const CreateAgentBody = strict({
  ...AgentConfigFields,
  providerToken: Type.Optional(ProviderToken),
  idleMinutes: Type.Optional(nullable(IdleMinutes)),
  recordingMegabytes: Type.Optional(nullable(AgentRecording)),
  pod: Type.Optional(PodChange),
});
export type CreateAgentBody = Static<typeof CreateAgentBody>;
/** `providerToken: null` removes the stored token; absent keeps it. */
export const UpdateAgentBody = Type.Partial(
  strict({
    ...AgentConfigFields,
    providerToken: nullable(ProviderToken),
    idleMinutes: nullable(IdleMinutes),
    recordingMegabytes: nullable(AgentRecording),
    pod: PodChange,
  }),
  { additionalProperties: false },
);
export type UpdateAgentBody = Static<typeof UpdateAgentBody>;

/** Result of "test connection": what was tried, how long it took, and in words what is wrong. */
export const ConnectionTest = strict({
  ok: Type.Boolean(),
  durationMs: Type.Integer(),
  message: Type.String(),
  /** Configured models the provider does not know; empty when it keeps no list. */
  unknownModels: Type.Array(Type.String()),
});
export type ConnectionTest = Static<typeof ConnectionTest>;

const tag = 'Agents';
const params = strict({ agentId: Id });

export const agentRoutes = {
  listAgents: route({
    method: 'GET',
    path: '/api/agents',
    access: 'user',
    tag,
    status: 200,
    summary: 'Own agents with their state',
    response: strict({ agents: Type.Array(Agent), limit: Type.Integer() }),
  }),
  getAgent: route({
    method: 'GET',
    path: '/api/agents/:agentId',
    access: 'user',
    tag,
    status: 200,
    summary: 'One agent',
    params,
    response: Agent,
    errors: ['not_found'],
  }),
  createAgent: route({
    method: 'POST',
    path: '/api/agents',
    access: 'user',
    tag,
    status: 201,
    summary: 'Create an agent; nothing starts until it is opened',
    body: CreateAgentBody,
    response: Agent,
    errors: ['name_taken', 'limit_reached', 'isolation_unavailable'],
  }),
  updateAgent: route({
    method: 'PATCH',
    path: '/api/agents/:agentId',
    access: 'user',
    tag,
    status: 200,
    summary: 'Change an agent; what runs is never disturbed, `status.restartRequired` says when a restart is due',
    params,
    body: UpdateAgentBody,
    response: Agent,
    errors: ['not_found', 'name_taken'],
  }),
  deleteAgent: route({
    method: 'DELETE',
    path: '/api/agents/:agentId',
    access: 'user',
    tag,
    status: 200,
    summary:
      'Delete an agent; undo is offered until `restorableUntil`, then its sandbox ends; its files are erased after 7 days',
    params,
    response: strict({ restorableUntil: Timestamp }),
    errors: ['not_found'],
  }),
  restoreAgent: route({
    method: 'POST',
    path: '/api/agents/:agentId/restore',
    access: 'user',
    tag,
    status: 200,
    summary: 'Undo a deletion',
    params,
    body: Empty,
    response: Agent,
    errors: ['not_found', 'name_taken', 'limit_reached'],
  }),
  restartAgent: route({
    method: 'POST',
    path: '/api/agents/:agentId/restart',
    access: 'user',
    tag,
    status: 202,
    summary: 'Restart the sandbox with the current configuration; the conversation continues',
    params,
    body: Empty,
    response: Agent,
    errors: ['not_found', 'isolation_unavailable'],
  }),
  sleepAgent: route({
    method: 'POST',
    path: '/api/agents/:agentId/sleep',
    access: 'user',
    tag,
    status: 202,
    summary: 'End the sandbox; workspace and conversation stay',
    params,
    body: Empty,
    response: Agent,
    errors: ['not_found'],
  }),
  keepAwake: route({
    method: 'PUT',
    path: '/api/agents/:agentId/keep-awake',
    access: 'user',
    tag,
    status: 200,
    summary: 'Do not put the agent to sleep for so many minutes from now, whatever it does; 0 ends that',
    params,
    body: strict({ minutes: IdleMinutes }),
    response: Agent,
    errors: ['not_found'],
  }),
  explainAwake: route({
    method: 'GET',
    path: '/api/agents/:agentId/awake-reason',
    access: 'user',
    tag,
    status: 200,
    summary: 'Why the agent is awake or asleep',
    params,
    response: AwakeReason,
    errors: ['not_found'],
  }),
  getUsage: route({
    method: 'GET',
    path: '/api/agents/:agentId/usage',
    access: 'user',
    tag,
    status: 200,
    summary: 'CPU and memory that the sandbox takes; null while it does not run and where nobody measures',
    params,
    response: strict({ usage: nullable(SandboxUsage) }),
    errors: ['not_found'],
  }),
  testConnection: route({
    method: 'POST',
    path: '/api/agents/test-connection',
    access: 'user',
    tag,
    status: 200,
    summary:
      'Ask a model provider whether URL, token and model names are right; with `agentId` the stored token is used when none is given',
    body: strict({
      agentId: Type.Optional(Id),
      cli: oneOf(cliNames),
      provider: ModelProvider,
      providerToken: Type.Optional(ProviderToken),
      proxy: Type.Optional(ProxySettings),
    }),
    response: ConnectionTest,
    errors: ['not_found'],
  }),
} as const;
