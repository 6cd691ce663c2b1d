import { describe, expect, it } from 'vitest';
import { readTotals, totalsLine } from './totals.ts';

const vitest = (report: object): string =>
  JSON.stringify({
    numPassedTests: 3,
    numFailedTests: 0,
    numPendingTests: 1,
    numTodoTests: 1,
    testResults: [],
    ...report,
  });
const playwright = (stats: object, errors: unknown[] = []): string =>
  JSON.stringify({ stats: { expected: 2, unexpected: 0, flaky: 0, skipped: 0, ...stats }, errors });

describe('readTotals', () => {
  it('reads both reports', () => {
    expect(readTotals('vitest', vitest({}), 0)).toEqual({ passed: 3, failed: 0, skipped: 2 });
    expect(readTotals('playwright', playwright({ skipped: 4 }), 0)).toEqual({ passed: 2, failed: 0, skipped: 4 });
  });

  it('counts what passed only when repeated as failed', () => {
    expect(readTotals('playwright', playwright({ flaky: 1 }), 0)).toEqual({ passed: 2, failed: 1, skipped: 0 });
  });

  it('counts a file that does not load', () => {
    const testResults = [
      { status: 'failed', assertionResults: [] },
      { status: 'passed', assertionResults: [{}] },
    ];
    expect(readTotals('vitest', vitest({ testResults }), 1).failed).toBe(1);
  });

  it('counts a crash', () => {
    expect(readTotals('vitest', null, null).failed).toBe(1);
    expect(readTotals('playwright', '{"half":', 1).failed).toBe(1);
    expect(readTotals('vitest', vitest({}), 1).failed).toBe(1);
    expect(readTotals('playwright', playwright({}, [{}]), 1).failed).toBe(1);
  });

  it('ends with the line that CI reads', () => {
    expect(totalsLine({ passed: 3, failed: 0, skipped: 2 })).toBe('3 passed, 0 failed, 2 skipped');
  });
});
