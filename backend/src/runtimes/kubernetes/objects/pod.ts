import { podFiles, podPaths, podVariables, TERMINAL_PORT } from '@sac/contracts';
import type {
  V1Container,
  V1EnvVar,
  V1PodSpec,
  V1Probe,
  V1SecurityContext,
  V1Volume,
  V1VolumeMount,
} from '@kubernetes/client-node';
import type { SandboxPod, SandboxSpec } from '../../runtime.ts';
import { HOME_CLAIM } from '../names.ts';
import type { PodSettings } from '../settings.ts';

export interface PodParts {
  readonly spec: SandboxSpec;
  readonly settings: PodSettings & Required<SandboxPod>;
  /** Image of the containers beside the agent's. */
  readonly image: string;
  readonly imagePullSecrets: readonly string[];
  readonly internalUrl: string;
}

/** The container whose amounts are the agent's own. */
export const AGENT_CONTAINER = 'agent';

/** Name of the Secret's volume as each container sees it. */
const agentFiles = [podFiles.configuration, podFiles.environment, podFiles.providerToken, podFiles.terminalKey];
const sidecarFiles = [podFiles.configuration, podFiles.credential];

/** The agent's user in the image. */
const USER_ID = 1000;
/** HUP, two seconds, KILL in the terminals, and a last report of the sidecar. */
const GRACE_SECONDS = 15;
/** One probe ends by itself long before: it only waits for the terminal server, so it is what makes the pod ready at once. */
const START_PROBE_SECONDS = 30;
const START_PROBES = 4;

const securityContext: V1SecurityContext = {
  allowPrivilegeEscalation: false,
  readOnlyRootFilesystem: true,
  capabilities: { drop: ['ALL'] },
};

const mount = (name: string, mountPath: string, options: Partial<V1VolumeMount> = {}): V1VolumeMount => ({
  name,
  mountPath,
  ...options,
});

const onVolume = (subPath: string, mountPath: string, readOnly = false): V1VolumeMount =>
  mount(HOME_CLAIM, mountPath, { subPath, ...(readOnly && { readOnly }) });

const secretVolume = (name: string, secretName: string, files: readonly string[]): V1Volume => ({
  name,
  secret: { secretName, defaultMode: 0o440, items: files.map((key) => ({ key, path: key })) },
});

const volumesOf = (secretName: string): V1Volume[] => [
  { name: 'temporary', emptyDir: { sizeLimit: '1Gi' } },
  { name: 'run', emptyDir: { sizeLimit: '16Mi' } },
  { name: 'inside', emptyDir: { sizeLimit: '16Mi' } },
  secretVolume('agent-secrets', secretName, agentFiles),
  secretVolume('sidecar-secrets', secretName, sidecarFiles),
];

const variables = (entries: Readonly<Record<string, string>>): V1EnvVar[] =>
  Object.entries(entries).map(([name, value]) => ({ name, value }));

const program = (name: string, ...nodeArguments: string[]): string[] => [
  podPaths.tini,
  '--',
  podPaths.node,
  ...nodeArguments,
  `${podPaths.programs}/${name}.js`,
];

const common = ({ spec, settings }: PodParts) => ({
  imagePullPolicy: settings.imagePullPolicy,
  securityContext,
  terminationMessagePolicy: 'FallbackToLogsOnError',
  workingDir: '/',
  env: variables({
    HOME: podPaths.home,
    TMPDIR: podPaths.temporary,
    [podVariables.generation]: String(spec.generation),
  }),
});

/**
 * Of the node's disk: logs, and the directories below that end with the pod; together with these the pod's containers may take so
 * much before the node ends it, and the root is read-only. Home and workspace are on the volume and do not count. Nothing is asked
 * for: left out, Kubernetes would ask for all of the limit, and nodes that do not count their disk would not take the pod.
 */
const NODE_DISK = 'ephemeral-storage';
const agentDisk = { request: { [NODE_DISK]: '0' }, limit: { [NODE_DISK]: '2Gi' } };
const helperDisk = { request: { [NODE_DISK]: '0' }, limit: { [NODE_DISK]: '256Mi' } };

/** Small amounts of their own, so that a namespace with a quota takes the pod. */
const helperResources = {
  requests: { cpu: '10m', memory: '64Mi', ...helperDisk.request },
  limits: { cpu: '1', memory: '256Mi', ...helperDisk.limit },
};

const sidecarContainer = (parts: PodParts): V1Container => ({
  ...common(parts),
  name: 'sidecar',
  image: parts.image,
  command: program('pod-sidecar', '--max-semi-space-size=2'),
  env: [...common(parts).env, ...variables({ [podVariables.internalUrl]: parts.internalUrl })],
  resources: helperResources,
  volumeMounts: [
    onVolume('home', podPaths.home, true),
    onVolume('state', podPaths.state),
    // Made with this container, so that both do not make it at once.
    onVolume('state/shared', podPaths.shared),
    mount('run', podPaths.run),
    mount('inside', podPaths.inside),
    mount('sidecar-secrets', podPaths.secrets, { readOnly: true }),
  ],
});

const waitForTerminalServer: V1Probe = {
  exec: {
    command: [
      '/bin/bash',
      '-c',
      `until (exec 3<>/dev/tcp/127.0.0.1/${TERMINAL_PORT}) 2>/dev/null; do sleep 0.02; done`,
    ],
  },
  periodSeconds: 1,
  timeoutSeconds: START_PROBE_SECONDS,
  failureThreshold: START_PROBES,
};

const agentContainer = (parts: PodParts): V1Container => ({
  ...common(parts),
  name: AGENT_CONTAINER,
  image: parts.settings.image,
  command: program('pod-agent', '--max-semi-space-size=2'),
  resources: {
    requests: { ...parts.settings.resources.requests, ...agentDisk.request },
    limits: { ...parts.settings.resources.limits, ...agentDisk.limit },
  },
  ports: [{ name: 'terminal', containerPort: TERMINAL_PORT, protocol: 'TCP' }],
  startupProbe: waitForTerminalServer,
  readinessProbe: { tcpSocket: { port: 'terminal' }, periodSeconds: 5, timeoutSeconds: 5, failureThreshold: 3 },
  volumeMounts: [
    onVolume('home', podPaths.home),
    onVolume('workspace', podPaths.workspace),
    onVolume('state/shared', podPaths.shared, true),
    mount('run', podPaths.run),
    mount('inside', podPaths.inside, { readOnly: true }),
    mount('temporary', podPaths.temporary),
    mount('agent-secrets', podPaths.secrets, { readOnly: true }),
  ],
});

/** The pod of one sandbox: as little as a pod can be allowed, and no token of the cluster in it. */
export const podSpecOf = (name: string, parts: PodParts): V1PodSpec => {
  const { settings } = parts;
  return {
    automountServiceAccountToken: false,
    enableServiceLinks: false,
    terminationGracePeriodSeconds: GRACE_SECONDS,
    securityContext: {
      runAsNonRoot: true,
      runAsUser: USER_ID,
      runAsGroup: USER_ID,
      fsGroup: USER_ID,
      fsGroupChangePolicy: 'OnRootMismatch',
      seccompProfile: { type: 'RuntimeDefault' },
    },
    ...(parts.imagePullSecrets.length > 0 && {
      imagePullSecrets: parts.imagePullSecrets.map((secret) => ({ name: secret })),
    }),
    ...(Object.keys(settings.nodeSelector).length > 0 && { nodeSelector: { ...settings.nodeSelector } }),
    ...(settings.tolerations.length > 0 && { tolerations: settings.tolerations.map((each) => ({ ...each })) }),
    ...(settings.priorityClassName !== '' && { priorityClassName: settings.priorityClassName }),
    ...(settings.runtimeClassName !== '' && { runtimeClassName: settings.runtimeClassName }),
    // No init containers: a kubelet hears of the end of one up to a second late, and of the start of a native sidecar too.
    containers: [sidecarContainer(parts), agentContainer(parts)],
    volumes: volumesOf(name),
  };
};
