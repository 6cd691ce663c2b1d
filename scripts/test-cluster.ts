/**
 * Proves the chart, the runtime and an installation in a real cluster, from the images to the removal, and ends with the totals,
 * alone on the last line.
 *
 * node scripts/test-cluster.ts all|chart|runtime|installation [arguments for the runner]
 *
 * The cluster is that of KUBECONFIG. Without one, and with a kit that makes clusters (SAC_CLUSTER_KIT, or ../shared/cluster beside the
 * repository), the kit's is started. Images are built and loaded with the kit; for any other cluster they have to be where it can
 * pull them: SAC_TEST_REGISTRY=registry.example.org/sac SAC_TEST_TAG=1.2.3. SAC_TEST_VALUES_FILE names a file with values that this cluster needs.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { prepareCluster, type TestCluster } from './cluster-kit.ts';
import { ensureBrowser } from './prerequisites.ts';
import { runAndReport, runTests } from './runners.ts';
import { noTests, type Totals } from './totals.ts';

const [what = 'all', ...args] = process.argv.slice(2);
let prepared: TestCluster = { env: process.env, images: [] };
const suites = {
  chart: () => runTests('vitest', { config: 'helm/tests/vitest.config.ts', env: prepared.env, args }),
  runtime: () => runTests('vitest', { config: 'backend/test/cluster.config.ts', env: prepared.env, args }),
  installation: () => runTests('playwright', { config: 'e2e/cluster.config.ts', env: prepared.env, args }),
} as const;
const isSuite = (name: string): name is keyof typeof suites => Object.hasOwn(suites, name);
if (what !== 'all' && !isSuite(what))
  throw new Error(`There is no suite ${what}: all, ${Object.keys(suites).join(', ')}.`);

const folder = mkdtempSync(join(tmpdir(), 'sac-test-cluster-'));
try {
  const prepare = (): Totals => {
    ensureBrowser();
    prepared = prepareCluster(folder);
    return noTests;
  };
  await runAndReport([prepare, ...(what === 'all' ? Object.values(suites) : [suites[what]])]);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
