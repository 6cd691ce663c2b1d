import type { ModelProvider, PodValues } from '@sac/contracts';
import type { AgentRow } from '../../db/agent-tables.ts';
import type { Keys } from '../../config/keys.ts';
import { internalCredential, keyedDigest, terminalKey } from '../../lib/agent-keys.ts';
import { sealKeyFromMaster, unseal } from '../../lib/seal.ts';
import type { RecordingSetting, SandboxPod, SandboxSpec } from '../../runtimes/runtime.ts';
import { effectiveValues, readPodValues, sandboxPodOf, type Installation, type PodLevels } from '../pods/values.ts';
import { DEMO_TOKEN } from './validation.ts';

export const PROVIDER_TOKEN = 'provider-token';

/** Where a secret of an agent is stored, as the sealing knows it. */
export const secretPlace = (agentUid: string, name: string): readonly string[] => ['agent-secret', agentUid, name];

/** The parts of an agent that its sandbox is made from. */
export type SpecSource = Pick<
  AgentRow,
  | 'id'
  | 'owner_id'
  | 'uid'
  | 'name'
  | 'cli'
  | 'permission_mode'
  | 'instructions'
  | 'provider'
  | 'proxy'
  | 'environment'
  | 'pod'
  | 'recording_megabytes'
>;

export interface StoredToken {
  readonly keyId: string;
  readonly sealed: Buffer;
}

/** An agent, its token as it is stored, and what others decided about its pod. */
export interface SpecRecord {
  readonly row: SpecSource;
  readonly token: StoredToken | null;
  readonly podLevels: PodLevels;
}

export interface SpecContext {
  readonly keys: Pick<Keys, 'master'>;
  readonly demo: { readonly modelUrl: string } | null;
  /** Null where agents do not run in a cluster. */
  readonly pods: Installation | null;
}

/** The demo model server may listen on another port after every start; its address is never the stored one. */
const resolveProvider = (provider: ModelProvider | null, demo: SpecContext['demo']): ModelProvider | null =>
  provider?.preset === 'demo' && demo ? { ...provider, baseUrl: demo.modelUrl } : provider;

/** What the agent's pod gets; null where there are no pods. */
export const podValuesOf = ({ row, podLevels }: SpecRecord, { pods }: Pick<SpecContext, 'pods'>): PodValues | null =>
  pods && effectiveValues(pods, podLevels, readPodValues(row.pod));

const podOf = (record: SpecRecord, context: SpecContext): { pod?: SandboxPod } => {
  const values = podValuesOf(record, context);
  const pod = values && context.pods && sandboxPodOf(context.pods, values);
  return pod ? { pod } : {};
};

const MIB = 1024 * 1024;
/** The agent's own setting, else the system's. Also an agent that records nothing shows what it has, within the system's size. */
const recordingOf = (own: number | null, system: RecordingSetting): RecordingSetting =>
  own === null ? system : { isOn: own > 0, totalBytes: own > 0 ? own * MIB : system.totalBytes };

/**
 * Digest of everything that needs a restart to take effect; name, icon and description are not in it. The
 * token counts as it is stored, so that comparing needs no secret in memory.
 */
export const specHashOf = (record: SpecRecord, context: SpecContext): string => {
  const { row: source, token } = record;
  return keyedDigest(context.keys.master, 'spec', {
    cli: source.cli,
    permissionMode: source.permission_mode,
    instructions: source.instructions,
    provider: resolveProvider(source.provider, context.demo),
    proxy: source.proxy,
    environment: source.environment,
    token: token ? [token.keyId, token.sealed.toString('base64')] : null,
    // Absent where nothing differs from the installation, whose own changes wait for the next start.
    ...podOf(record, context),
    ...(source.recording_megabytes !== null && { recordingMegabytes: source.recording_megabytes }),
  });
};

/** The stored token was sealed with other keys than this server has. */
export class TokenLostError extends Error {
  constructor(cause: unknown) {
    super('The stored token does not open with the keys of this server.', { cause });
  }
}

/** The plain token; null when there is none. @throws TokenLostError */
export const openToken = ({ row: source, token }: SpecRecord, context: SpecContext): string | null => {
  if (source.provider?.preset === 'demo') return DEMO_TOKEN;
  if (!token) return null;
  try {
    return unseal([sealKeyFromMaster(context.keys.master)], secretPlace(source.uid, PROVIDER_TOKEN), token);
  } catch (error) {
    throw new TokenLostError(error);
  }
};

/** @throws TokenLostError */
export const buildSpec = (
  record: SpecRecord,
  generation: number,
  context: SpecContext & { readonly recording: RecordingSetting },
): SandboxSpec => {
  const { row: source } = record;
  return {
    agentUid: source.uid,
    userId: source.owner_id,
    agentId: source.id,
    generation,
    specHash: specHashOf(record, context),
    agentName: source.name,
    cli: source.cli,
    permissionMode: source.permission_mode,
    instructions: source.instructions,
    provider: resolveProvider(source.provider, context.demo),
    providerToken: openToken(record, context),
    proxy: source.proxy,
    environment: source.environment,
    recording: recordingOf(source.recording_megabytes, context.recording),
    terminalKey: terminalKey(context.keys.master, source.uid, generation),
    internalCredential: internalCredential(context.keys.master, source.uid, generation),
    ...podOf(record, context),
  };
};
