import { stripVTControlCharacters } from 'node:util';

export interface Totals {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
  /** Names of what failed, with the first line of the reason where the runner's report has one. */
  readonly failures: readonly string[];
  /** The same of what passed the second time only (`repeats` in runners.ts); it counts as passed. */
  readonly unsteady: readonly string[];
}

export const noTests: Totals = { passed: 0, failed: 0, skipped: 0, failures: [], unsteady: [] };

/** A run that ended without a usable report. */
export const crashed = (reason: string): Totals => ({ ...noTests, failed: 1, failures: [reason] });

export const add = (left: Totals, right: Totals): Totals => ({
  passed: left.passed + right.passed,
  failed: left.failed + right.failed,
  skipped: left.skipped + right.skipped,
  failures: [...left.failures, ...right.failures],
  unsteady: [...left.unsteady, ...right.unsteady],
});

/** So many by chance alone are not believed. */
const UNSTEADY_MAX = 3;

/** What a whole run comes to: with many unsteady tests something is wrong, whatever passed in the end. */
export const judged = (totals: Totals): Totals =>
  totals.unsteady.length <= UNSTEADY_MAX
    ? totals
    : add(totals, crashed(`${totals.unsteady.length} tests passed the second time only; ${UNSTEADY_MAX} may`));

/** The last line of a test run; CI reads it. */
export const totalsLine = ({ passed, failed, skipped }: Totals): string =>
  `${passed} passed, ${failed} failed, ${skipped} skipped`;

export const firstLine = (text: string): string => stripVTControlCharacters(text).split('\n', 1)[0] ?? '';

interface PlaywrightError {
  readonly message?: string;
  readonly location?: { readonly line: number };
}

interface PlaywrightSuite {
  readonly file: string;
  readonly suites?: readonly PlaywrightSuite[];
  readonly specs: readonly {
    readonly title: string;
    readonly tests: readonly {
      readonly status: 'expected' | 'unexpected' | 'flaky' | 'skipped';
      readonly results: readonly { readonly errors: readonly PlaywrightError[] }[];
    }[];
  }[];
}

interface PlaywrightReport {
  readonly stats: {
    readonly expected: number;
    readonly unexpected: number;
    readonly flaky: number;
    readonly skipped: number;
  };
  readonly suites: readonly PlaywrightSuite[];
  readonly errors: readonly PlaywrightError[];
}

/** Its messages spread over lines: what was expected stands in the ones behind the first. */
const MESSAGE_LINES = 8;
const inOneLine = (text: string): string =>
  stripVTControlCharacters(text)
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '')
    .slice(0, MESSAGE_LINES)
    .join(' | ');

const errorText = ({ message, location }: PlaywrightError): string =>
  `${location === undefined ? '' : `line ${location.line}: `}${inOneLine(message ?? 'unknown error')}`;

const linesOf = (suite: PlaywrightSuite, state: 'unexpected' | 'flaky'): string[] => [
  ...suite.specs.flatMap(({ title, tests }) =>
    tests
      .filter(({ status }) => status === state)
      .map(({ results }) => {
        const [error] = results.flatMap(({ errors }) => errors);
        return `${suite.file}: ${title}: ${errorText(error ?? {})}`;
      }),
  ),
  ...(suite.suites ?? []).flatMap((inner) => linesOf(inner, state)),
];

const playwrightTotals = ({ stats, suites, errors }: PlaywrightReport): Totals => ({
  passed: stats.expected + stats.flaky,
  failed: stats.unexpected + errors.length,
  skipped: stats.skipped,
  failures: [...suites.flatMap((suite) => linesOf(suite, 'unexpected')), ...errors.map(errorText)],
  unsteady: suites.flatMap((suite) => linesOf(suite, 'flaky')),
});

/**
 * Reads the JSON report of a runner: of vitest what vitest-report.ts writes, of Playwright its own. A runner that left none, or that failed although its report shows nothing,
 * counts as one failure.
 */
export const readTotals = (runner: 'vitest' | 'playwright', json: string | null, exitCode: number | null): Totals => {
  if (json === null) return crashed(`${runner} left no report`);
  let totals: Totals;
  try {
    const report: unknown = JSON.parse(json);
    totals = runner === 'vitest' ? (report as Totals) : playwrightTotals(report as PlaywrightReport);
  } catch {
    return crashed(`${runner} left a report that cannot be read`);
  }
  return exitCode !== 0 && totals.failed === 0
    ? add(totals, crashed(`${runner} ended with ${String(exitCode)} although its report names no failure`))
    : totals;
};
