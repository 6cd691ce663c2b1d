import type {
  AgentFailure,
  CliName,
  CommandResult,
  ModelProvider,
  PermissionMode,
  Prompt,
  ProxySettings,
  SandboxCommand,
  SandboxReport,
  StartPhase,
} from '@sac/contracts';
import type { ColumnType, Generated, GeneratedAlways, Selectable } from 'kysely';

/** int8: read as string; written as string or number. */
type Int8 = ColumnType<string, string | number, string | number>;
type Identity = GeneratedAlways<string>;
type DefaultTimestamp = Generated<Date>;
/** jsonb: parsed value out, JSON text in (the driver would turn arrays into PostgreSQL arrays). */
type Json<T> = ColumnType<T, string, string>;
type JsonWithDefault<T> = ColumnType<T, string | undefined, string>;
type NullableJson<T> = ColumnType<T | null, string | null | undefined, string | null>;

export interface EnvironmentEntry {
  readonly name: string;
  readonly value: string;
}

export type DesiredState = 'awake' | 'asleep';
export type SleptBecause = 'idle' | 'person';

export interface AgentsTable {
  id: Identity;
  uid: GeneratedAlways<string>;
  owner_id: Int8;
  name: string;
  icon: string;
  description: Generated<string>;
  instructions: Generated<string>;
  cli: CliName;
  permission_mode: Generated<PermissionMode>;
  provider: NullableJson<ModelProvider>;
  proxy: Json<ProxySettings>;
  environment: JsonWithDefault<readonly EnvironmentEntry[]>;
  desired_state: Generated<DesiredState>;
  desired_changed_at: DefaultTimestamp;
  generation: Generated<number>;
  spec_hash: string | null;
  start_failure: NullableJson<AgentFailure>;
  start_failed_at: ColumnType<Date | null, Date | null | undefined, Date | null>;
  published_agent: string | null;
  published_terminals: string | null;
  published_revision: Generated<string>;
  created_at: DefaultTimestamp;
  updated_at: DefaultTimestamp;
  last_active_at: Date | null;
  deleted_at: Date | null;
  /** PodValues, as far as they are set. */
  pod: ColumnType<unknown, string | undefined, string>;
  idle_minutes: ColumnType<number | null, number | null | undefined, number | null>;
  recording_megabytes: ColumnType<number | null, number | null | undefined, number | null>;
  keep_awake_until: Date | null;
  present_at: DefaultTimestamp;
  slept_because: SleptBecause | null;
}

export interface AgentSecretsTable {
  agent_id: Int8;
  name: string;
  key_id: string;
  sealed: Buffer;
  updated_at: DefaultTimestamp;
}

export interface SessionsTable {
  id: Identity;
  user_id: Int8;
  agent_id: Int8;
  opened_at: DefaultTimestamp;
  last_active_at: DefaultTimestamp;
  ended_at: Date | null;
}

export interface SandboxReportsTable {
  agent_id: Int8;
  generation: number;
  sidecar_id: string;
  sequence: Int8;
  report: Json<SandboxReport>;
  received_at: DefaultTimestamp;
}

export interface PromptsTable {
  id: Identity;
  agent_id: Int8;
  author_id: Int8;
  client_request_id: string;
  text: string;
  state: Generated<Prompt['state']>;
  /** Place in the queue once somebody moved it; before that its id is. */
  position: Int8 | null;
  reason: string | null;
  conversation_id: string | null;
  created_at: DefaultTimestamp;
  settled_at: Date | null;
}

export type CommandKind = SandboxCommand['kind'];
export type CommandState = 'pending' | 'done' | 'failed' | 'unknown' | 'abandoned';
/** What a command carries besides its envelope (id, issuedAt, kind). */
export type CommandPayload = Readonly<Record<string, string | number>>;

export interface CommandsTable {
  id: Identity;
  agent_id: Int8;
  generation: number;
  kind: CommandKind;
  prompt_id: ColumnType<string | null, string | null | undefined, string | null>;
  payload: Json<CommandPayload>;
  state: Generated<CommandState>;
  attempts: Generated<number>;
  result: NullableJson<CommandResult>;
  created_at: DefaultTimestamp;
  expires_at: Date | null;
  settled_at: Date | null;
}

export interface SandboxStartsTable {
  id: Identity;
  agent_id: Int8;
  generation: number;
  spec_hash: string;
  started_at: DefaultTimestamp;
  finished_at: Date | null;
  phases: JsonWithDefault<readonly StartPhase[]>;
  result: 'running' | 'failed' | 'ended' | null;
  reason: string | null;
}

export interface AgentTables {
  agents: AgentsTable;
  agent_secrets: AgentSecretsTable;
  sessions: SessionsTable;
  sandbox_reports: SandboxReportsTable;
  prompts: PromptsTable;
  commands: CommandsTable;
  sandbox_starts: SandboxStartsTable;
}

export type AgentRow = Selectable<AgentsTable>;
export type SessionRow = Selectable<SessionsTable>;
export type PromptRow = Selectable<PromptsTable>;
export type CommandRow = Selectable<CommandsTable>;
