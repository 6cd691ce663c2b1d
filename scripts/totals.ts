export interface Totals {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
  /** Names of what failed, with the first line of the reason where the runner's report has one. */
  readonly failures: readonly string[];
}

export const noTests: Totals = { passed: 0, failed: 0, skipped: 0, failures: [] };

/** A run that ended without a usable report. */
export const crashed = (reason: string): Totals => ({ ...noTests, failed: 1, failures: [reason] });

export const add = (left: Totals, right: Totals): Totals => ({
  passed: left.passed + right.passed,
  failed: left.failed + right.failed,
  skipped: left.skipped + right.skipped,
  failures: [...left.failures, ...right.failures],
});

/** The last line of a test run; CI reads it. */
export const totalsLine = ({ passed, failed, skipped }: Totals): string =>
  `${passed} passed, ${failed} failed, ${skipped} skipped`;

const firstLine = (text: string): string => text.split('\n', 1)[0] ?? '';

interface VitestFile {
  readonly name: string;
  readonly status: string;
  readonly message: string;
  readonly assertionResults: readonly {
    readonly status: string;
    readonly fullName: string;
    readonly failureMessages: readonly string[] | null;
  }[];
}

interface VitestReport {
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  readonly numPendingTests: number;
  readonly numTodoTests: number;
  readonly testResults: readonly VitestFile[];
}

const didNotLoad = (file: VitestFile): boolean => file.status === 'failed' && file.assertionResults.length === 0;

const vitestFailures = (file: VitestFile): string[] =>
  didNotLoad(file)
    ? [`${file.name}: ${firstLine(file.message)}`]
    : file.assertionResults
        .filter(({ status }) => status === 'failed')
        .map(({ fullName, failureMessages }) => `${file.name}: ${fullName}: ${firstLine(failureMessages?.[0] ?? '')}`);

/** A file that fails before its first test has no failed test in it and still is a failure. */
const vitestTotals = (report: VitestReport): Totals => ({
  passed: report.numPassedTests,
  failed: report.numFailedTests + report.testResults.filter(didNotLoad).length,
  skipped: report.numPendingTests + report.numTodoTests,
  failures: report.testResults.flatMap(vitestFailures),
});

interface PlaywrightSuite {
  readonly file: string;
  readonly suites?: readonly PlaywrightSuite[];
  readonly specs: readonly {
    readonly title: string;
    readonly tests: readonly { readonly status: 'expected' | 'unexpected' | 'flaky' | 'skipped' }[];
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
  readonly errors: readonly { readonly message?: string }[];
}

const playwrightFailures = (suite: PlaywrightSuite): string[] => [
  ...suite.specs
    .filter(({ tests }) => tests.some(({ status }) => status === 'unexpected' || status === 'flaky'))
    .map(({ title }) => `${suite.file}: ${title}`),
  ...(suite.suites ?? []).flatMap(playwrightFailures),
];

/** What passes only when repeated is a fault. */
const playwrightTotals = ({ stats, suites, errors }: PlaywrightReport): Totals => ({
  passed: stats.expected,
  failed: stats.unexpected + stats.flaky + errors.length,
  skipped: stats.skipped,
  failures: [
    ...suites.flatMap(playwrightFailures),
    ...errors.map(({ message }) => firstLine(message ?? 'unknown error')),
  ],
});

/**
 * Reads the JSON report of a runner. A runner that left none, or that failed although its report shows nothing,
 * counts as one failure.
 */
export const readTotals = (runner: 'vitest' | 'playwright', json: string | null, exitCode: number | null): Totals => {
  if (json === null) return crashed(`${runner} left no report`);
  let totals: Totals;
  try {
    const report: unknown = JSON.parse(json);
    totals = runner === 'vitest' ? vitestTotals(report as VitestReport) : playwrightTotals(report as PlaywrightReport);
  } catch {
    return crashed(`${runner} left a report that cannot be read`);
  }
  return exitCode !== 0 && totals.failed === 0
    ? add(totals, crashed(`${runner} ended with ${String(exitCode)} although its report names no failure`))
    : totals;
};
