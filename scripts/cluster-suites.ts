import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ClusterChoice, prepareCluster } from './cluster-kit.ts';
import { ensureBrowser } from './prerequisites.ts';
import { runTests } from './runners.ts';
import { add, noTests, type Totals } from './totals.ts';

export const clusterSuites = {
  chart: { runner: 'vitest', config: 'helm/tests/vitest.config.ts' },
  runtime: { runner: 'vitest', config: 'backend/test/cluster.config.ts' },
  installation: { runner: 'playwright', config: 'e2e/cluster.config.ts' },
} as const;
export type ClusterSuite = keyof typeof clusterSuites;
export const allClusterSuites = Object.keys(clusterSuites) as ClusterSuite[];

/** Prepares a cluster and runs these suites in it. @throws Error that says what is missing */
export const runClusterSuites = async (
  names: readonly ClusterSuite[],
  args: readonly string[],
  choice?: ClusterChoice,
): Promise<Totals> => {
  const folder = mkdtempSync(join(tmpdir(), 'sac-test-cluster-'));
  try {
    ensureBrowser();
    const { env, end } = prepareCluster(folder, choice);
    let totals = noTests;
    for (const name of names) {
      const { runner, config } = clusterSuites[name];
      totals = add(totals, await runTests(runner, { config, env, args }));
    }
    end();
    return totals;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
};
