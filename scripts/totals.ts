export interface Totals {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

export const noTests: Totals = { passed: 0, failed: 0, skipped: 0 };

export const add = (left: Totals, right: Totals): Totals => ({
  passed: left.passed + right.passed,
  failed: left.failed + right.failed,
  skipped: left.skipped + right.skipped,
});

/** The last line of a test run; CI reads it. */
export const totalsLine = ({ passed, failed, skipped }: Totals): string =>
  `${passed} passed, ${failed} failed, ${skipped} skipped`;

interface VitestReport {
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  readonly numPendingTests: number;
  readonly numTodoTests: number;
  readonly testResults: readonly { readonly status: string; readonly assertionResults: readonly unknown[] }[];
}

/** A file that fails before its first test has no failed test in it and still is a failure. */
const vitestTotals = (report: VitestReport): Totals => ({
  passed: report.numPassedTests,
  failed:
    report.numFailedTests +
    report.testResults.filter((file) => file.status === 'failed' && file.assertionResults.length === 0).length,
  skipped: report.numPendingTests + report.numTodoTests,
});

interface PlaywrightReport {
  readonly stats: {
    readonly expected: number;
    readonly unexpected: number;
    readonly flaky: number;
    readonly skipped: number;
  };
  readonly errors: readonly unknown[];
}

/** What passes only when repeated is a fault. */
const playwrightTotals = ({ stats, errors }: PlaywrightReport): Totals => ({
  passed: stats.expected,
  failed: stats.unexpected + stats.flaky + errors.length,
  skipped: stats.skipped,
});

/**
 * Reads the JSON report of a runner. A runner that left none, or that failed although its report shows nothing,
 * counts as one failure.
 */
export const readTotals = (runner: 'vitest' | 'playwright', json: string | null, exitCode: number | null): Totals => {
  const crashed: Totals = { ...noTests, failed: 1 };
  if (json === null) return crashed;
  let totals: Totals;
  try {
    const report: unknown = JSON.parse(json);
    totals = runner === 'vitest' ? vitestTotals(report as VitestReport) : playwrightTotals(report as PlaywrightReport);
  } catch {
    return crashed;
  }
  return exitCode !== 0 && totals.failed === 0 ? add(totals, crashed) : totals;
};
