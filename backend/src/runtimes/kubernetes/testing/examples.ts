import type { SandboxSpec } from '../../runtime.ts';
import { objectName } from '../names.ts';
import type { Identity } from '../objects/identity.ts';
import type { PodParts } from '../objects/pod.ts';
import { podSettingsOf, type PodSettings } from '../settings.ts';

const examplePod: PodSettings = {
  resources: { requests: { cpu: '250m', memory: '1Gi' }, limits: { cpu: '2', memory: '4Gi' } },
  nodeSelector: {},
  tolerations: [],
  priorityClassName: '',
  runtimeClassName: '',
  storageClass: '',
  storageSize: '10Gi',
  imagePullPolicy: 'IfNotPresent',
  egress: 'internet',
};

export const exampleSpec: SandboxSpec = {
  agentUid: '0f0e0d0c-0b0a-4908-8706-050403020100',
  userId: '3',
  agentId: '14',
  generation: 7,
  specHash: 'digest',
  agentName: 'Ada "the" agent',
  cli: 'claude-code',
  permissionMode: 'default',
  instructions: 'Be brief.\n',
  provider: null,
  providerToken: 'token-of-the-provider',
  proxy: { httpProxy: null, httpsProxy: null, noProxy: null },
  environment: [{ name: 'STAGE', value: 'a "quoted" value' }],
  recording: { isOn: true, totalBytes: 16 * 1024 * 1024 },
  terminalKey: 'terminal-key-'.padEnd(43, 'x'),
  internalCredential: 'internal-credential',
};

export const exampleIdentity = (namespace = 'sac-agents-0', spec = exampleSpec): Identity => ({
  name: objectName(spec),
  namespace,
  userId: spec.userId,
  agentId: spec.agentId,
  agentUid: spec.agentUid,
  installId: 'example',
  version: '1.2.3+build',
});

const image = 'registry.example/sac-agent:1.2.3';

export const plainParts: PodParts = {
  spec: exampleSpec,
  settings: podSettingsOf({ ...examplePod, image }, exampleSpec),
  image,
  imagePullSecrets: [],
  internalUrl: 'http://sac-api-gateway-internal.sac.svc:8082',
};

/** Every choice there is taken. */
export const fullParts: PodParts = {
  ...plainParts,
  imagePullSecrets: ['pull-one', 'pull-two'],
  settings: {
    ...plainParts.settings,
    image: 'registry.example/own-image@sha256:'.padEnd(98, 'a'),
    resources: { requests: { cpu: '1500m', memory: '2Gi' }, limits: { cpu: '4', memory: '8Gi' } },
    nodeSelector: { 'example.com/agents': 'true' },
    tolerations: [{ key: 'example.com/agents', operator: 'Exists', effect: 'NoSchedule' }],
    priorityClassName: 'low',
    runtimeClassName: 'gvisor',
    storageClass: 'fast',
    storageSize: '50Gi',
    imagePullPolicy: 'Always',
    egress: 'proxy',
  },
};
