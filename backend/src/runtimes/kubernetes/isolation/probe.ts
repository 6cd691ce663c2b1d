import { createHash } from 'node:crypto';
import type { V1Pod, V1PodSpec, V1Service, V1StatefulSet } from '@kubernetes/client-node';
import { podPaths, TERMINAL_PORT } from '@sac/contracts';
import { FIELD_MANAGER, labelNames } from '../objects/identity.ts';
import type { PodSettings } from '../settings.ts';

/** What a pod like an agent's was able to connect to. */
export interface ProbeOutcome {
  readonly neighbour: boolean;
  readonly apiServer: boolean;
  readonly gateway: boolean;
}

export interface ProbeParts {
  readonly namespace: string;
  readonly installId: string;
  readonly image: string;
  readonly imagePullSecrets: readonly string[];
  readonly internalUrl: string;
  /** Its `egress` is the widest that an agent may have. */
  readonly settings: PodSettings;
  /** Of this attempt: pods of an earlier one say nothing. */
  readonly run: string;
}

export const probeAnnotations = {
  run: 'sac.dev/probe-run',
  since: 'sac.dev/probe-since',
  result: 'sac.dev/probe-result',
};

/** Two installations may share a namespace. */
export const probeName = (installId: string): string =>
  `sac-isolation-probe-${createHash('sha256').update(installId).digest('hex').slice(0, 8)}`;

/**
 * Runs in both pods: each listens where terminal servers do, the second one tries to reach what no agent may reach. First
 * it waits for api-gateway, which may start just now: who reaches nothing at all proves nothing. It tries again for some
 * seconds, as a policy takes a moment to get to the node of a new pod, and the last try counts.
 */
const script = `
const { connect, createServer } = require('node:net');
const { lookup } = require('node:dns/promises');
const { writeFileSync } = require('node:fs');
const { hostname } = require('node:os');
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const opens = (host, port) => new Promise((resolve) => {
  const socket = connect({ host, port, timeout: 1500 });
  const end = (isOpen) => { socket.destroy(); resolve(isOpen); };
  socket.once('connect', () => end(true)).once('timeout', () => end(false)).once('error', () => end(false));
});
const addressOf = async (name) => {
  for (let tries = 0; tries < 60; tries += 1) {
    try { return (await lookup(name)).address; } catch { await sleep(500); }
  }
  throw new Error('the neighbour has no address');
};
createServer((socket) => socket.destroy()).listen(${TERMINAL_PORT}, async () => {
  if (hostname().endsWith('-0')) return;
  const [, neighbourName, gatewayHost, gatewayPort] = process.argv;
  const address = await addressOf(neighbourName);
  const outcome = { neighbour: true, apiServer: true, gateway: false };
  for (let tries = 0; tries < 24 && !outcome.gateway; tries += 1) {
    await sleep(1000);
    outcome.gateway = await opens(gatewayHost, Number(gatewayPort));
  }
  for (let tries = 0; tries < 6 && (outcome.neighbour || outcome.apiServer); tries += 1) {
    await sleep(1000);
    outcome.neighbour = await opens(address, ${TERMINAL_PORT});
    outcome.apiServer = await opens(process.env.KUBERNETES_SERVICE_HOST, Number(process.env.KUBERNETES_SERVICE_PORT));
  }
  writeFileSync('/dev/termination-log', JSON.stringify(outcome));
  process.exit(0);
});
`;

const labelsOf = ({ installId }: ProbeParts): Record<string, string> => ({
  [labelNames.name]: probeName(installId),
  [labelNames.component]: 'isolation-probe',
  [labelNames.managedBy]: FIELD_MANAGER,
  [labelNames.installId]: installId,
});

export const probeServiceOf = (parts: ProbeParts): V1Service => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name: probeName(parts.installId), namespace: parts.namespace, labels: labelsOf(parts) },
  spec: {
    clusterIP: 'None',
    publishNotReadyAddresses: true,
    selector: labelsOf(parts),
    ports: [{ name: 'terminal', port: TERMINAL_PORT, protocol: 'TCP' }],
  },
});

const podSpecOf = (parts: ProbeParts): V1PodSpec => {
  const { settings } = parts;
  const { hostname, port } = new URL(parts.internalUrl);
  const name = probeName(parts.installId);
  return {
    automountServiceAccountToken: false,
    enableServiceLinks: false,
    terminationGracePeriodSeconds: 1,
    securityContext: {
      runAsNonRoot: true,
      runAsUser: 1000,
      runAsGroup: 1000,
      seccompProfile: { type: 'RuntimeDefault' },
    },
    imagePullSecrets: parts.imagePullSecrets.map((secret) => ({ name: secret })),
    nodeSelector: { ...settings.nodeSelector },
    tolerations: settings.tolerations.map((each) => ({ ...each })),
    ...(settings.priorityClassName !== '' && { priorityClassName: settings.priorityClassName }),
    ...(settings.runtimeClassName !== '' && { runtimeClassName: settings.runtimeClassName }),
    containers: [
      {
        name: 'probe',
        image: parts.image,
        imagePullPolicy: settings.imagePullPolicy,
        command: [podPaths.node, '-e', script, '--', `${name}-0.${name}`, hostname, port === '' ? '80' : port],
        securityContext: {
          allowPrivilegeEscalation: false,
          readOnlyRootFilesystem: true,
          capabilities: { drop: ['ALL'] },
        },
        // The amounts a quota may ask every pod for.
        resources: {
          requests: { cpu: '10m', memory: '64Mi', 'ephemeral-storage': '0' },
          limits: { cpu: '1', memory: '128Mi', 'ephemeral-storage': '64Mi' },
        },
        readinessProbe: { tcpSocket: { port: TERMINAL_PORT }, periodSeconds: 1 },
      },
    ],
  };
};

/**
 * Two pods of the widest rights an agent can have: what that choice opens may hold neither other pods nor the API server. With
 * smaller rights a range of the cluster that the choice forgot to leave out would not show.
 */
export const probeSetOf = (parts: ProbeParts): V1StatefulSet => {
  const labels = labelsOf(parts);
  return {
    apiVersion: 'apps/v1',
    kind: 'StatefulSet',
    metadata: { name: probeName(parts.installId), namespace: parts.namespace, labels },
    spec: {
      replicas: 2,
      serviceName: probeName(parts.installId),
      podManagementPolicy: 'Parallel',
      revisionHistoryLimit: 0,
      selector: { matchLabels: labels },
      template: {
        metadata: {
          labels: { ...labels, [labelNames.egress]: parts.settings.egress },
          annotations: { [probeAnnotations.run]: parts.run },
        },
        spec: podSpecOf(parts),
      },
    },
  };
};

export const parseOutcome = (text: string | undefined): ProbeOutcome | null => {
  let said: unknown;
  try {
    said = JSON.parse(text ?? '');
  } catch {
    return null;
  }
  const { neighbour, apiServer, gateway } = (said ?? {}) as Readonly<Record<string, unknown>>;
  const isOutcome = typeof neighbour === 'boolean' && typeof apiServer === 'boolean' && typeof gateway === 'boolean';
  return isOutcome ? { neighbour, apiServer, gateway } : null;
};

/** What the second pod found out, once it has and the first one was there to be found; null before. */
export const outcomeOf = (listener: V1Pod | null, prober: V1Pod | null, run: string): ProbeOutcome | null => {
  const isOfRun = (pod: V1Pod | null): boolean => pod?.metadata?.annotations?.[probeAnnotations.run] === run;
  const isReady = listener?.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True');
  if (!isOfRun(listener) || !isOfRun(prober) || isReady !== true) return null;
  const status = prober?.status?.containerStatuses?.[0];
  return parseOutcome((status?.state?.terminated ?? status?.lastState?.terminated)?.message);
};
