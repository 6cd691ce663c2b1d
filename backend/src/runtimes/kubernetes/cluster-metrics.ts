import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { ObservedSandbox } from '../runtime.ts';

export interface ClusterView {
  /** Seconds; 0 while everything is current. */
  readonly staleSeconds: () => number;
  readonly sandboxes: () => Iterable<ObservedSandbox>;
  readonly isIsolated: () => boolean;
}

/** What this process asks of the API server and sees of sandboxes. Labels are words of ours, never names of objects. */
export class ClusterMetrics {
  readonly #registry = new Registry();
  readonly #requests = new Counter({
    name: 'sac_cluster_requests_total',
    help: 'Requests to the API server by method, resource and status; status 0: no answer',
    labelNames: ['method', 'resource', 'status'],
    registers: [this.#registry],
  });
  readonly #duration = new Histogram({
    name: 'sac_cluster_request_duration_seconds',
    help: 'Time until the API server has answered, watches left out',
    labelNames: ['method'],
    buckets: [0.01, 0.05, 0.25, 1, 5, 15],
    registers: [this.#registry],
  });
  readonly #watches = new Counter({
    name: 'sac_cluster_watch_ends_total',
    help: 'Watches that ended: as agreed, failed, or expired, after which everything is listed again',
    labelNames: ['resource', 'how'],
    registers: [this.#registry],
  });
  readonly #lists = new Counter({
    name: 'sac_cluster_lists_total',
    help: 'Complete lists of a resource',
    labelNames: ['resource'],
    registers: [this.#registry],
  });
  readonly #repairs = new Counter({
    name: 'sac_sandbox_repairs_total',
    help: 'Sandboxes whose objects were put right after somebody else changed them',
    registers: [this.#registry],
  });

  requested(method: string, path: string, status: number | null, durationMs: number): void {
    this.#requests.inc({ method, resource: resourceOf(path), status: String(status ?? 0) });
    this.#duration.observe({ method }, durationMs / 1_000);
  }

  watchEnded(path: string, how: 'ended' | 'failed' | 'expired'): void {
    this.#watches.inc({ resource: resourceOf(path), how });
  }

  listed(path: string): void {
    this.#lists.inc({ resource: resourceOf(path) });
  }

  repaired(): void {
    this.#repairs.inc();
  }

  /** Values that are asked for when somebody reads the metrics. */
  show({ staleSeconds, sandboxes, isIsolated }: ClusterView): void {
    const registers = [this.#registry];
    new Gauge({
      name: 'sac_cluster_stale_seconds',
      help: 'Since when states of sandboxes may be old; 0: they are current',
      registers,
      collect() {
        this.set(staleSeconds());
      },
    });
    new Gauge({
      name: 'sac_sandboxes',
      help: 'Sandboxes that this process sees, by state; those asleep are not among them',
      labelNames: ['state'],
      registers,
      collect() {
        this.reset();
        for (const { state } of sandboxes()) this.inc({ state });
      },
    });
    new Gauge({
      name: 'sac_isolation_verified',
      help: '0: sandboxes reach each other or the cluster, or nobody could tell',
      registers,
      collect() {
        this.set(isIsolated() ? 1 : 0);
      },
    });
  }

  text(): Promise<string> {
    return this.#registry.metrics();
  }
}

const RESOURCES = /\/(statefulsets|services|secrets|persistentvolumeclaims|pods|events)(?:\/|$)/;
const resourceOf = (path: string): string =>
  path.startsWith('/apis/metrics.k8s.io/') ? 'podmetrics' : (RESOURCES.exec(path)?.[1] ?? 'other');
