import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { add, crashed, judged, noTests, readTotals, type Totals, totalsLine } from './totals.ts';

export const root = resolve(import.meta.dirname, '..');
/** A runner that hangs must not hang CI. */
const RUNNER_TIMEOUT_MS = 30 * 60_000;

export interface Run {
  /** Of the runner; its own default where there is none. */
  readonly config?: string;
  readonly args?: readonly string[];
  readonly env?: NodeJS.ProcessEnv;
}

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

/**
 * How often a failed test is run again: once, in CI alone. Thousands of tests wait for real servers, browsers and a cluster on
 * two cores; one late answer shall not throw the whole run away. What passes the second time only is named at the end as
 * unsteady, and more than a few of those fail the run (totals.ts). Tests with random inputs get the same seed again.
 */
const repeats = process.env['CI'] === undefined ? 0 : 1;

const vitestReporters = ['--reporter=default', '--reporter=./scripts/vitest-report.ts'];

const runners = {
  vitest: {
    program: ['node_modules/vitest/vitest.mjs', 'run', ...vitestReporters, `--retry=${repeats}`],
    reportVariable: 'SAC_TEST_TOTALS',
  },
  playwright: {
    program: ['node_modules/@playwright/test/cli.js', 'test', '--reporter=list,json', `--retries=${repeats}`],
    reportVariable: 'PLAYWRIGHT_JSON_OUTPUT_FILE',
  },
} as const;

/** One run of a runner; its output goes to the terminal. */
export const runTests = async (
  runner: keyof typeof runners,
  { config, args = [], env = process.env }: Run,
): Promise<Totals> => {
  const { program, reportVariable } = runners[runner];
  const folder = mkdtempSync(join(tmpdir(), 'sac-test-report-'));
  const report = join(folder, 'report.json');
  try {
    const all = [...program, ...(config === undefined ? [] : ['--config', config]), ...args];
    const exitCode = await runToEnd(all, { ...env, [reportVariable]: report });
    return readTotals(runner, existsSync(report) ? readFileSync(report, 'utf8') : null, exitCode);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
};

/**
 * Runs the parts one after another, also after one has failed, and ends with the totals, alone on the last line. A part
 * that throws counts as failed; what comes behind it needs what it prepares, and is not run.
 */
export const runAndReport = async (parts: readonly (() => Promise<Totals> | Totals)[]): Promise<void> => {
  let totals = noTests;
  try {
    for (const part of parts) totals = add(totals, await part());
  } catch (error) {
    totals = add(totals, crashed(error instanceof Error ? error.message : String(error)));
  }
  totals = judged(totals);
  process.exitCode = totals.failed > 0 ? 1 : 0;
  // Once more at the end: between a failure and the last line stand the outputs of all later tests.
  for (const line of totals.unsteady) process.stdout.write(`unsteady: passed the second time only: ${line}\n`);
  for (const failure of totals.failures) process.stdout.write(`failed: ${failure}\n`);
  process.stdout.write(`\n${totalsLine(totals)}\n`);
};
