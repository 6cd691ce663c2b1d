import type { KubeConfig } from '@kubernetes/client-node';
import type { Logger } from 'pino';
import type { EgressChoice } from '@sac/contracts';
import type { PodResources, SandboxPod, SandboxSpec } from '../runtime.ts';
import { checkInstallId } from './names.ts';
import { checkResources, memoryBytes, QuantityError } from './quantities.ts';

export interface Toleration {
  readonly key?: string;
  readonly operator?: 'Exists' | 'Equal';
  readonly value?: string;
  readonly effect?: 'NoSchedule' | 'PreferNoSchedule' | 'NoExecute';
  readonly tolerationSeconds?: number;
}

/** What all sandboxes have in common unless one's `SandboxPod` says otherwise. Empty names: the cluster's own default. */
export interface PodSettings {
  readonly resources: PodResources;
  readonly nodeSelector: Readonly<Record<string, string>>;
  readonly tolerations: readonly Toleration[];
  readonly priorityClassName: string;
  readonly runtimeClassName: string;
  readonly storageClass: string;
  readonly storageSize: string;
  readonly imagePullPolicy: 'IfNotPresent' | 'Always' | 'Never';
  readonly egress: EgressChoice;
}

export interface KubernetesRuntimeOptions {
  /** Cluster and account; `loadKubeConfig` finds them as everybody expects. */
  readonly kubeConfig: KubeConfig;
  /** Namespaces of sandboxes, at least one. Taking one away leaves its sandboxes unseen. */
  readonly namespaces: readonly string[];
  /** This installation; objects of another one are never touched. */
  readonly installId: string;
  /** Image of the sandboxes, and of the containers beside a custom image. */
  readonly image: string;
  readonly imagePullSecrets: readonly string[];
  readonly clusterDomain: string;
  /** Where sidecars find the internal listener: `http://host:port`. */
  readonly internalUrl: string;
  readonly pod: PodSettings;
  /** Widest network that an agent may have; whether that keeps agents apart is tried out. */
  readonly widestEgress: EgressChoice;
  /** Shown as `app.kubernetes.io/version`. */
  readonly version: string;
  readonly logger: Logger;
  /** How long a pod may find no node, and a volume no storage, before that is a failure; default 60 s. */
  readonly patienceMs?: number;
  /** How often the Secret of each sandbox that runs is looked at; default 10 min. */
  readonly secretLookMs?: number;
  /** Try out whether agents are kept apart; default true. Without it that is assumed, as tests without policies do. */
  readonly verifiesIsolation?: boolean;
}

const NAMESPACE = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;

/** @throws Error or QuantityError naming the first setting that cannot work */
export const checkOptions = (options: KubernetesRuntimeOptions): void => {
  checkInstallId(options.installId);
  if (options.namespaces.length === 0) throw new Error('No namespace for sandboxes is configured.');
  for (const name of options.namespaces)
    if (!NAMESPACE.test(name)) throw new Error(`Not the name of a namespace: ${JSON.stringify(name.slice(0, 80))}`);
  if (new Set(options.namespaces).size < options.namespaces.length)
    throw new Error(`A namespace stands twice in the list: ${options.namespaces.join(', ')}`);
  checkResources(options.pod.resources);
  memoryBytes('The storage size', options.pod.storageSize);
  const url = URL.parse(options.internalUrl);
  if (url?.protocol !== 'http:' || url.pathname !== '/' || url.search !== '')
    throw new Error(`The internal address is ${JSON.stringify(options.internalUrl)}; it has to be http://host:port`);
};

/** The settings one sandbox gets. @throws QuantityError when an amount of its own is none */
export const podSettingsOf = (
  settings: PodSettings & { readonly image: string },
  { pod = {} }: Pick<SandboxSpec, 'pod'>,
): PodSettings & Required<SandboxPod> => {
  const own = { ...settings, ...pod };
  checkResources(own.resources);
  if (memoryBytes('The storage size', own.storageSize) < 2 ** 20)
    throw new QuantityError('The storage size', own.storageSize, 'at least 1Mi is needed.');
  return own;
};
