import type {
  AgentFailure,
  CliName,
  EgressChoice,
  ModelProvider,
  PermissionMode,
  ProxySettings,
  SandboxUsage,
  StartPhase,
  Upstream,
} from '@sac/contracts';

/** `isOn` false: nothing new is recorded, what is there can be read. */
export interface RecordingSetting {
  readonly isOn: boolean;
  readonly totalBytes: number;
}

/** Amounts as Kubernetes writes them: `250m`, `4Gi`. */
export interface PodResources {
  readonly requests: { readonly cpu?: string; readonly memory?: string };
  readonly limits: { readonly cpu?: string; readonly memory?: string };
}

/** What is different for one sandbox from what the installation says; the local runtime has no use for it. */
export interface SandboxPod {
  readonly image?: string;
  readonly resources?: PodResources;
  readonly storageSize?: string;
  readonly egress?: EgressChoice;
  /** Empty: the cluster's own default. */
  readonly runtimeClassName?: string;
}

/** Everything a runtime needs to make one sandbox. Immutable; a change is a new spec with a new `generation`. */
export interface SandboxSpec {
  readonly agentUid: string;
  /** Ids in the database, which never change: the names of a cluster's objects come from them. */
  readonly userId: string;
  readonly agentId: string;
  /** Grows with every start that replaces the sandbox; credentials and tickets are bound to it. */
  readonly generation: number;
  /** Digest of everything below that needs a restart to take effect. */
  readonly specHash: string;
  /** Shown in the shell prompt and git identity, never used in a path or object name. */
  readonly agentName: string;
  readonly cli: CliName;
  readonly permissionMode: PermissionMode;
  readonly instructions: string;
  readonly provider: ModelProvider | null;
  readonly providerToken: string | null;
  readonly proxy: ProxySettings;
  readonly environment: readonly { readonly name: string; readonly value: string }[];
  /** Record of the terminals. In the digest only as far as the agent has its own: what the system says waits for the next start that happens anyway. */
  readonly recording: RecordingSetting;
  /** Key of the inner terminal tokens (see contracts `InnerClaims`). */
  readonly terminalKey: string;
  /** Bearer credential for the internal listener. */
  readonly internalCredential: string;
  readonly pod?: SandboxPod;
}

/**
 * What a runtime sees of one sandbox. `running` says that the terminal server accepts connections;
 * what the CLI does inside arrives through the sidecar's reports, not here.
 */
export interface ObservedSandbox {
  readonly agentUid: string;
  readonly generation: number;
  readonly specHash: string;
  readonly state: 'starting' | 'running' | 'stopping' | 'failed' | 'gone';
  readonly since: Date;
  readonly phases: readonly StartPhase[];
  readonly failure: AgentFailure | null;
  readonly upstream: Upstream | null;
}

export interface Isolation {
  readonly isolated: boolean;
  /** Why not, and what an operator does about it. */
  readonly reason: string | null;
  readonly fix: string | null;
  /** How that is known, in a sentence for administrators. */
  readonly detail?: string;
}

/** A place for files that outlives its sandbox. */
export interface SandboxVolume {
  readonly namespace: string;
  readonly name: string;
  /** Who it belongs to, as far as it says; null: nothing of the kind. */
  readonly agentUid: string | null;
  readonly agentId: string | null;
  readonly userId: string | null;
  /** Of this installation. */
  readonly isOwn: boolean;
  readonly size: string;
  readonly createdAt: Date;
}

/** What lies in a cluster besides the sandboxes that are observed. */
export interface LeftObjects {
  /** All volumes in the namespaces of sandboxes, also of other installations. */
  volumes(): readonly SandboxVolume[];
  /** Agents that more than a volume of this installation is there for, awake or not. */
  agentUids(): readonly string[];
  /** Gives a volume to an agent of this installation. Rejects when there is no such volume. */
  adopt(volume: Pick<SandboxVolume, 'namespace' | 'name'>, agentUid: string): Promise<void>;
  /** With all files on it. Rejects when there is no such volume. */
  deleteVolume(volume: Pick<SandboxVolume, 'namespace' | 'name'>): Promise<void>;
  /**
   * For an agent that nobody knows: deletes what was made for it, its pod too but not its volume, once it has been called for it for
   * `afterMs`. That survives the server.
   */
  retire(agentUid: string, afterMs: number): Promise<'waiting' | 'removed' | 'nothing'>;
  /** For an agent that somebody knows: a `retire` of before counts no more. Does nothing when there was none. */
  keep(agentUid: string): Promise<void>;
}

/**
 * Makes, watches and ends sandboxes. All calls are idempotent and level-triggered: the reconciler may
 * repeat any of them at any time. `conformance.ts` is the executable form of this comment.
 */
export interface Runtime {
  readonly kind: 'local' | 'kubernetes';
  /** Finds sandboxes that are running already; resolves when `observed()` is complete. */
  start(): Promise<void>;
  isolation(): Isolation;
  observed(): ReadonlyMap<string, ObservedSandbox>;
  /** Called after every change of `observed()`; returns the function that unsubscribes. */
  onChange(listener: (sandbox: ObservedSandbox) => void): () => void;
  /**
   * Makes the sandbox run as `spec` says. Returns when the work is accepted; progress shows in `observed()`.
   * Same agent, generation and specHash already there: does nothing. Another generation there: replaces it.
   */
  ensure(spec: SandboxSpec): Promise<void>;
  /** Ends everything the sandbox started; home and workspace stay. Resolves when all is gone. */
  stop(agentUid: string, options: { readonly graceMs: number }): Promise<void>;
  /** `stop`, then deletes home and workspace. */
  remove(agentUid: string): Promise<void>;
  /** Since when `observed()` may be behind what really is, with the reason; null while it is current. */
  stale?(): { readonly since: Date; readonly reason: string } | null;
  /**
   * The highest generation that what was made for this agent bears, also while it sleeps; 0 for nothing. A start with a lower one is
   * given up. Absent: nothing that bears one outlives a sandbox.
   */
  lastGeneration?(agentUid: string): number;
  /** What a running sandbox takes; null where nobody measures. Absent: this runtime cannot say. Never rejects. */
  usage?(agentUid: string): Promise<SandboxUsage | null>;
  /** What it does and sees, in Prometheus' text format. */
  metrics?(): Promise<string>;
  /** Only where others can leave things behind. */
  readonly left?: LeftObjects;
  /** Lets go of watches and timers; sandboxes go on. */
  close(): Promise<void>;
}
