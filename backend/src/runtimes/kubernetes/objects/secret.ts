import { podFiles, type PodConfiguration } from '@sac/contracts';
import type { V1Secret } from '@kubernetes/client-node';
import type { SandboxSpec } from '../../runtime.ts';
import { annotationNames, metadataOf, type Identity } from './identity.ts';

const configurationOf = (spec: SandboxSpec): PodConfiguration => ({
  agentUid: spec.agentUid,
  generation: spec.generation,
  specHash: spec.specHash,
  agentName: spec.agentName,
  cli: spec.cli,
  permissionMode: spec.permissionMode,
  instructions: spec.instructions,
  provider: spec.provider,
  proxy: spec.proxy,
  recording: { ...spec.recording },
});

const base64 = (text: string): string => Buffer.from(text).toString('base64');

/** Everything the pod is told, one key each, so that each can be mounted only where it is needed. */
export const secretOf = (identity: Identity, spec: SandboxSpec): V1Secret => ({
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: { ...metadataOf(identity), annotations: { [annotationNames.generation]: String(spec.generation) } },
  type: 'Opaque',
  data: {
    [podFiles.configuration]: base64(JSON.stringify(configurationOf(spec))),
    [podFiles.environment]: base64(JSON.stringify(spec.environment)),
    [podFiles.providerToken]: base64(spec.providerToken ?? ''),
    [podFiles.terminalKey]: base64(spec.terminalKey),
    [podFiles.credential]: base64(spec.internalCredential),
  },
});
