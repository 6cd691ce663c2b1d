import type { HealthCheck } from '../modules/system/health-check.ts';
import type { Runtime } from '../runtimes/runtime.ts';

/** Whether what this replica shows of sandboxes is what the cluster has. */
export const clusterCheck = (runtime: Pick<Runtime, 'stale' | 'observed'>): HealthCheck => ({
  name: 'cluster',
  check: async () => {
    const stale = runtime.stale?.() ?? null;
    if (stale === null)
      return { state: 'ok', detail: `The states of ${runtime.observed().size} sandboxes are current.`, fix: null };
    return {
      state: 'failed',
      detail: `States of sandboxes are stale since ${stale.since.toISOString()}: ${stale.reason}`,
      fix: 'Look at the API server, and at the log of api-gateway; sandboxes and terminals go on meanwhile.',
    };
  },
});
