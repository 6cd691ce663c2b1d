import type { V1Pod } from '@kubernetes/client-node';
import { parseQuantity, type SandboxUsage } from '@sac/contracts';
import type { Logger } from 'pino';
import type { ClusterClient } from './cluster-client.ts';
import { ClusterError } from './cluster-error.ts';
import { SANDBOX_SELECTOR } from './objects/identity.ts';
import { AGENT_CONTAINER } from './objects/pod.ts';

/** Metrics servers measure every 15 s by default; asking more often gives the same. */
const KEPT_MS = 10_000;
/** Where nobody measures, that is asked again after this. */
const ABSENT_MS = 60_000;

/** `PodMetrics` of metrics.k8s.io/v1beta1, as far as it is used here. */
interface PodMetrics {
  readonly metadata: { readonly name: string };
  readonly timestamp: string;
  readonly containers: readonly { readonly name: string; readonly usage: Readonly<Record<string, string>> }[];
}

interface Measured {
  readonly cpu: number;
  readonly memoryBytes: number;
  readonly at: Date;
}
type ByPod = ReadonlyMap<string, Measured>;

const fractions: Readonly<Record<string, number>> = { n: 1e-9, u: 1e-6 };
/** What is measured comes in smaller parts than anybody asks for. */
const measuredAmount = (text: string): number | null => {
  const fraction = fractions[text.slice(-1)];
  return fraction === undefined ? parseQuantity(text) : (parseQuantity(text.slice(0, -1)) ?? NaN) * fraction;
};

const measuredOf = ({ timestamp, containers }: PodMetrics): Measured | null => {
  const usage = containers.find(({ name }) => name === AGENT_CONTAINER)?.usage ?? {};
  const cpu = measuredAmount(usage['cpu'] ?? '');
  const memoryBytes = measuredAmount(usage['memory'] ?? '');
  const at = new Date(timestamp);
  const isWhole = Number.isFinite(cpu) && Number.isFinite(memoryBytes) && !Number.isNaN(at.getTime());
  return isWhole && cpu !== null && memoryBytes !== null ? { cpu, memoryBytes: Math.round(memoryBytes), at } : null;
};

const limitOf = (pod: V1Pod, name: 'cpu' | 'memory'): number | null => {
  const limits = pod.spec?.containers.find((container) => container.name === AGENT_CONTAINER)?.resources?.limits;
  return parseQuantity(limits?.[name] ?? '');
};

/**
 * What pods take, from the cluster's metrics server if it has one. One list per namespace answers everybody who looks
 * at an agent there; while nobody looks, nothing is asked.
 */
export class PodUsage {
  readonly #client: Pick<ClusterClient, 'call'>;
  readonly #logger: Logger;
  readonly #signal: AbortSignal;
  /** Namespaces where this account may not ask, which the log says already. */
  readonly #refused = new Set<string>();
  readonly #lists = new Map<string, { readonly untilMs: number; readonly pods: Promise<ByPod | null> }>();

  constructor(client: Pick<ClusterClient, 'call'>, logger: Logger, signal: AbortSignal) {
    this.#client = client;
    this.#logger = logger;
    this.#signal = signal;
  }

  /** Null where nobody measures, and for a pod that was not measured yet. Never rejects. */
  async find(pod: V1Pod): Promise<SandboxUsage | null> {
    const { name = '', namespace = '', creationTimestamp } = pod.metadata ?? {};
    const measured = (await this.#listOf(namespace))?.get(name);
    // The pod before had the same name.
    if (measured === undefined || measured.at < new Date(creationTimestamp ?? 0)) return null;
    return {
      cpu: measured.cpu,
      cpuLimit: limitOf(pod, 'cpu'),
      memoryBytes: measured.memoryBytes,
      memoryLimitBytes: limitOf(pod, 'memory'),
      measuredAt: measured.at.toISOString(),
    };
  }

  #listOf(namespace: string): Promise<ByPod | null> {
    const known = this.#lists.get(namespace);
    if (known !== undefined && performance.now() < known.untilMs) return known.pods;
    const pods = this.#ask(namespace);
    // Until it is answered everybody waits for this one; its own deadline is shorter.
    this.#lists.set(namespace, { pods, untilMs: performance.now() + ABSENT_MS });
    void pods.then((found) => {
      const keptMs = found === null ? ABSENT_MS : KEPT_MS;
      this.#lists.set(namespace, { pods, untilMs: performance.now() + keptMs });
    });
    return pods;
  }

  /** Null: there is no metrics server, it is away, or this account may not ask it. */
  async #ask(namespace: string): Promise<ByPod | null> {
    try {
      const { items } = await this.#client.call<{ readonly items: readonly PodMetrics[] }>({
        method: 'GET',
        path: `/apis/metrics.k8s.io/v1beta1/namespaces/${encodeURIComponent(namespace)}/pods`,
        query: { labelSelector: SANDBOX_SELECTOR },
        signal: this.#signal,
      });
      this.#refused.delete(namespace);
      const measured = items.map((item) => [item.metadata.name, measuredOf(item)] as const);
      return new Map(measured.filter((entry): entry is readonly [string, Measured] => entry[1] !== null));
    } catch (error) {
      if (error instanceof ClusterError && error.status === 403) this.#warn(namespace, error);
      return null;
    }
  }

  #warn(namespace: string, err: ClusterError): void {
    if (this.#refused.has(namespace)) return;
    this.#refused.add(namespace);
    this.#logger.warn(
      { namespace, err },
      'usage of agents is not shown: this account may not list pods of metrics.k8s.io in the namespace; give it that right, as the Role of the chart does',
    );
  }
}
