import { Type, type Static } from 'typebox';
import { EnvironmentVariable, MAX_ENVIRONMENT_VARIABLES } from './agent-environment.ts';
import { AgentFailure } from './agents.ts';
import { strict } from './primitives.ts';
import { SupervisorConfig } from './supervisor.ts';

/**
 * Kubernetes runtime ⇄ the containers of a sandbox's pod. The runtime writes one Secret per agent and mounts each of its
 * keys only where it is needed; the containers answer with one line of JSON in their termination message.
 */
export const TERMINAL_PORT = 7681;

/** Where things are in the pod. What a custom image must have is below `code`. */
export const podPaths = {
  code: '/opt/sac',
  node: '/opt/sac/bin/node',
  tini: '/opt/sac/bin/tini',
  programs: '/opt/sac/sandbox/dist',
  cli: '/opt/sac/cli',
  home: '/home/agent',
  workspace: '/workspace',
  temporary: '/tmp',
  /** For sockets of the user's own programs: everybody may write to the parents of all other folders, which some refuse. */
  runtime: '/dev/shm/sac',
  /** Sockets between the containers. */
  run: '/run/sac',
  /** Of those, what the agent may use but not change. */
  inside: '/run/sac/inside',
  /** On the volume, but not of the agent. */
  state: '/var/lib/sac',
  /** Of that, what the agent may read. */
  shared: '/var/lib/sac/shared',
  secrets: '/etc/sac/secrets',
} as const;

/** Keys of the Secret, and names of the files they become. */
export const podFiles = {
  /** PodConfiguration. */
  configuration: 'configuration.json',
  /** PodEnvironment. */
  environment: 'environment.json',
  providerToken: 'provider-token',
  terminalKey: 'terminal-key',
  /** For the internal listener; only the sidecar has it. */
  credential: 'credential',
} as const;

/** Variables of the containers. None of them is secret. */
export const podVariables = {
  /** What the pod was made for: with an older or newer Secret it does not start. */
  generation: 'SAC_GENERATION',
  /** Internal listener of the gateway, `http://host:port`. */
  internalUrl: 'SAC_INTERNAL_URL',
} as const;

export const PodConfiguration = Type.Pick(SupervisorConfig, [
  'agentUid',
  'generation',
  'specHash',
  'agentName',
  'cli',
  'permissionMode',
  'instructions',
  'provider',
  'proxy',
  'recording',
]);
export type PodConfiguration = Static<typeof PodConfiguration>;

export const PodEnvironment = Type.Array(EnvironmentVariable, { maxItems: MAX_ENVIRONMENT_VARIABLES });

/** What a container says when it ends. */
export const PodMessage = strict({ failure: AgentFailure });
export type PodMessage = Static<typeof PodMessage>;
