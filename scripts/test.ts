/**
 * Runs the tests and ends with the totals, alone on the last line.
 *
 * node scripts/test.ts all|unit|e2e [arguments for the runner]
 */
import { spawnSync } from 'node:child_process';
import { ensureTestClis } from '../backend/test/test-clis.ts';
import { findKit } from './cluster-kit.ts';
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

/** Who reads the totals shall not take them for those of a cluster too. */
const sayWhatIsLeft = (): Totals => {
  const where =
    findKit() === null ? 'in the cluster of KUBECONFIG' : 'with the cluster kit that is beside this checkout';
  process.stdout.write(`Not part of these: make test-cluster, ${where}.\n`);
  return noTests;
};

await runAndReport([
  prepare,
  ...(what === 'e2e' ? [] : [() => runTests('vitest', { args })]),
  ...(what === 'unit' ? [] : [() => runTests('playwright', { config: 'e2e/playwright.config.ts', args })]),
  ...(what === 'all' ? [sayWhatIsLeft] : []),
]);
