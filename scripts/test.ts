/**
 * Runs the tests and ends with the totals, alone on the last line; with a kit that makes a cluster (see cluster-kit.ts), those in a cluster too.
 *
 * node scripts/test.ts all|unit|e2e [arguments for the runner]
 */
import { spawnSync } from 'node:child_process';
import { ensureTestClis } from '../backend/test/test-clis.ts';
import { findKit } from './cluster-kit.ts';
import { allClusterSuites, runClusterSuites } from './cluster-suites.ts';
import { ensureBrowser, ensureBubblewrap } from './prerequisites.ts';
import { root, runAndReport, runTests } from './runners.ts';
import { noTests, type Totals } from './totals.ts';

const [what = 'all', ...args] = process.argv.slice(2);

const prepare = async (): Promise<Totals> => {
  ensureBubblewrap();
  if (what !== 'unit') ensureBrowser();
  await ensureTestClis();
  // Tests of the whole server start the bundles.
  const { status } = spawnSync(process.execPath, ['scripts/build.ts'], { cwd: root, stdio: 'inherit' });
  if (status !== 0) throw new Error('The build failed; the reason is above.');
  return noTests;
};

/**
 * Only in a cluster made for tests: KUBECONFIG may name one that people work in, and is for `make test-cluster` to use.
 * Who reads the totals of a machine without a kit shall not take them for those of a cluster too.
 */
const cluster = async (): Promise<Totals> => {
  if (findKit() !== null) return runClusterSuites(allClusterSuites, [], { ownCluster: true });
  const remedy = 'put the kit that makes one at ../shared/cluster, or say where it is with SAC_CLUSTER_KIT';
  if (process.env['CI'] !== undefined) throw new Error(`There is no cluster to test in: ${remedy}.`);
  process.stdout.write(`Not part of these: what needs a cluster (make test-cluster), or ${remedy}.\n`);
  return noTests;
};

await runAndReport([
  prepare,
  ...(what === 'e2e' ? [] : [() => runTests('vitest', { args })]),
  ...(what === 'unit' ? [] : [() => runTests('playwright', { config: 'e2e/playwright.config.ts', args })]),
  ...(what === 'all' ? [cluster] : []),
]);
