import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import type { WorkQueue } from '../../lib/work-queue.ts';
import type { ObservedSandbox } from '../../runtimes/runtime.ts';

export interface ReconcilerMetrics {
  /** The same work, timed and its failures counted. */
  timed(queue: string, work: (key: string) => Promise<void>): (key: string) => Promise<void>;
  show(queues: Readonly<Record<string, WorkQueue>>, isLeader: () => boolean): void;
  /** Of the leader: what others see of the same sandbox would be counted twice. */
  seen(sandbox: ObservedSandbox): void;
}

/** More starts at a time than this are not timed; each is forgotten when it has ended. */
const MAX_STARTS = 10_000;

/** How the reconciler keeps up, and how starts of sandboxes end. */
export const createReconcilerMetrics = (registry: Registry): ReconcilerMetrics => {
  const registers = [registry];
  const duration = new Histogram({
    name: 'sac_reconciler_work_duration_seconds',
    help: 'Time for one step of one agent, by queue',
    labelNames: ['queue'],
    buckets: [0.005, 0.05, 0.5, 5, 30],
    registers,
  });
  const failed = new Counter({
    name: 'sac_reconciler_failures_total',
    help: 'Steps that failed and are tried again, by queue',
    labelNames: ['queue'],
    registers,
  });
  const startDuration = new Histogram({
    name: 'sac_sandbox_start_duration_seconds',
    help: 'Time from the first sight of a start until its end, by outcome',
    labelNames: ['outcome'],
    buckets: [0.5, 1, 2, 4, 8, 16, 32, 64, 128],
    registers,
  });
  const starts = new Map<string, { readonly generation: number; readonly atMs: number }>();
  return {
    timed: (queue, work) => async (key) => {
      const end = duration.startTimer({ queue });
      try {
        await work(key);
      } catch (error) {
        failed.inc({ queue });
        throw error;
      } finally {
        end();
      }
    },
    show: (queues, isLeader) => {
      new Gauge({
        name: 'sac_reconciler_queue_depth',
        help: 'Agents that wait for a step, by queue',
        labelNames: ['queue'],
        registers,
        collect() {
          for (const [queue, { depth }] of Object.entries(queues)) this.set({ queue }, depth());
        },
      });
      new Gauge({
        name: 'sac_reconciler_leads',
        help: '1: this replica makes true what is wanted of agents',
        registers,
        collect() {
          this.set(isLeader() ? 1 : 0);
        },
      });
    },
    seen: ({ agentUid, generation, state }) => {
      const start = starts.get(agentUid);
      if (state === 'starting') {
        if (start?.generation !== generation && starts.size < MAX_STARTS)
          starts.set(agentUid, { generation, atMs: performance.now() });
        return;
      }
      starts.delete(agentUid);
      if (start?.generation !== generation || state === 'stopping') return;
      const outcome = state === 'running' ? 'running' : 'failed';
      startDuration.observe({ outcome }, (performance.now() - start.atMs) / 1_000);
    },
  };
};
