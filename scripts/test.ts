/**
 * Runs the tests and ends with the totals, alone on the last line.
 *
 * node scripts/test.ts all|unit|e2e [arguments for the runner]
 */
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { ensureBrowser, ensureBubblewrap } from './prerequisites.ts';
import { ensureTestClis } from './test-clis.ts';
import { add, crashed, noTests, readTotals, type Totals, totalsLine } from './totals.ts';

const root = resolve(import.meta.dirname, '..');
const [what = 'all', ...rest] = process.argv.slice(2);
/** A runner that hangs must not hang CI. */
const RUNNER_TIMEOUT_MS = 20 * 60_000;

const runToEnd = (args: readonly string[], env: NodeJS.ProcessEnv): Promise<number | null> =>
  new Promise((resolvePromise, reject) => {
    const child = spawn(process.execPath, args, { cwd: root, env, stdio: ['ignore', 'inherit', 'inherit'] });
    const timer = setTimeout(() => {
      process.stderr.write(`Ended after ${RUNNER_TIMEOUT_MS / 60_000} minutes.\n`);
      child.kill('SIGKILL');
    }, RUNNER_TIMEOUT_MS);
    child.once('error', reject);
    child.once('exit', (code) => {
      clearTimeout(timer);
      resolvePromise(code);
    });
  });

const readReport = (path: string): string | null => (existsSync(path) ? readFileSync(path, 'utf8') : null);

const runVitest = async (reports: string): Promise<Totals> => {
  const report = join(reports, 'vitest.json');
  const args = ['node_modules/vitest/vitest.mjs', 'run', '--reporter=default', '--reporter=./scripts/vitest-report.ts'];
  const exitCode = await runToEnd([...args, ...rest], { ...process.env, SAC_TEST_TOTALS: report });
  return readTotals('vitest', readReport(report), exitCode);
};

const runPlaywright = async (reports: string): Promise<Totals> => {
  const report = join(reports, 'playwright.json');
  const args = [
    'node_modules/@playwright/test/cli.js',
    'test',
    '--config',
    'e2e/playwright.config.ts',
    '--reporter=list,json',
  ];
  const exitCode = await runToEnd([...args, ...rest], { ...process.env, PLAYWRIGHT_JSON_OUTPUT_FILE: report });
  return readTotals('playwright', readReport(report), exitCode);
};

const build = (): void => {
  const { status } = spawnSync(process.execPath, ['scripts/build.ts'], { cwd: root, stdio: 'inherit' });
  if (status !== 0) throw new Error('The build failed; the reason is above.');
};

const runAll = async (reports: string): Promise<Totals> => {
  ensureBubblewrap();
  if (what !== 'unit') ensureBrowser();
  await ensureTestClis();
  build(); // tests of the whole server start the bundles
  let totals = noTests;
  if (what !== 'e2e') totals = add(totals, await runVitest(reports));
  if (what !== 'unit') totals = add(totals, await runPlaywright(reports));
  return totals;
};

const reports = mkdtempSync(join(tmpdir(), 'sac-test-reports-'));
let totals: Totals;
try {
  totals = await runAll(reports);
} catch (error) {
  totals = crashed(error instanceof Error ? error.message : String(error));
} finally {
  rmSync(reports, { recursive: true, force: true });
}
process.exitCode = totals.failed > 0 ? 1 : 0;
// Once more at the end: between a failure and the last line stand the outputs of all later tests.
for (const failure of totals.failures) process.stdout.write(`failed: ${failure}\n`);
process.stdout.write(`\n${totalsLine(totals)}\n`);
