import type { ModelProvider } from '@sac/contracts';
import type { AgentRow } from '../../db/agent-tables.ts';
import type { Keys } from '../../config/keys.ts';
import { internalCredential, keyedDigest, terminalKey } from '../../lib/agent-keys.ts';
import { sealKeyFromMaster, unseal } from '../../lib/seal.ts';
import type { RecordingSetting, SandboxSpec } from '../../runtimes/runtime.ts';
import { DEMO_TOKEN } from './validation.ts';

export const PROVIDER_TOKEN = 'provider-token';

/** Where a secret of an agent is stored, as the sealing knows it. */
export const secretPlace = (agentUid: string, name: string): readonly string[] => ['agent-secret', agentUid, name];

/** The parts of an agent that its sandbox is made from. */
export type SpecSource = Pick<
  AgentRow,
  'id' | 'owner_id' | 'uid' | 'name' | 'cli' | 'permission_mode' | 'instructions' | 'provider' | 'proxy' | 'environment'
>;

export interface StoredToken {
  readonly keyId: string;
  readonly sealed: Buffer;
}

export interface SpecContext {
  readonly keys: Pick<Keys, 'master'>;
  readonly demo: { readonly modelUrl: string } | null;
}

/** The demo model server may listen on another port after every start; its address is never the stored one. */
const resolveProvider = (provider: ModelProvider | null, demo: SpecContext['demo']): ModelProvider | null =>
  provider?.preset === 'demo' && demo ? { ...provider, baseUrl: demo.modelUrl } : provider;

/**
 * Digest of everything that needs a restart to take effect; name, icon and description are not in it. The
 * token counts as it is stored, so that comparing needs no secret in memory.
 */
export const specHashOf = (source: SpecSource, token: StoredToken | null, context: SpecContext): string =>
  keyedDigest(context.keys.master, 'spec', {
    cli: source.cli,
    permissionMode: source.permission_mode,
    instructions: source.instructions,
    provider: resolveProvider(source.provider, context.demo),
    proxy: source.proxy,
    environment: source.environment,
    token: token ? [token.keyId, token.sealed.toString('base64')] : null,
  });

/** The plain token; null when there is none. Throws when it does not open with this server's keys. */
export const openToken = (source: SpecSource, token: StoredToken | null, context: SpecContext): string | null => {
  if (source.provider?.preset === 'demo') return DEMO_TOKEN;
  if (!token) return null;
  return unseal([sealKeyFromMaster(context.keys.master)], secretPlace(source.uid, PROVIDER_TOKEN), token);
};

/** Throws when the stored token does not open with this server's keys. */
export const buildSpec = (
  source: SpecSource,
  token: StoredToken | null,
  generation: number,
  context: SpecContext & { readonly recording: RecordingSetting },
): SandboxSpec => ({
  agentUid: source.uid,
  userId: source.owner_id,
  agentId: source.id,
  generation,
  specHash: specHashOf(source, token, context),
  agentName: source.name,
  cli: source.cli,
  permissionMode: source.permission_mode,
  instructions: source.instructions,
  provider: resolveProvider(source.provider, context.demo),
  providerToken: openToken(source, token, context),
  proxy: source.proxy,
  environment: source.environment,
  recording: context.recording,
  terminalKey: terminalKey(context.keys.master, source.uid, generation),
  internalCredential: internalCredential(context.keys.master, source.uid, generation),
});
