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
const playwright = (stats: object, errors: unknown[] = [], suites: unknown[] = []): string =>
  JSON.stringify({ stats: { expected: 2, unexpected: 0, flaky: 0, skipped: 0, ...stats }, errors, suites });

describe('readTotals', () => {
  it('reads both reports', () => {
    expect(readTotals('vitest', vitest({}), 0)).toMatchObject({ passed: 3, failed: 0, skipped: 2 });
    expect(readTotals('playwright', playwright({ skipped: 4 }), 0)).toMatchObject({ passed: 2, failed: 0, skipped: 4 });
  });

  it('counts what passed only when repeated as failed', () => {
    expect(readTotals('playwright', playwright({ flaky: 1 }), 0)).toMatchObject({
      passed: 2,
      failed: 1,
      skipped: 0,
    });
  });

  it('counts a file that does not load', () => {
    const testResults = [
      { name: 'a.test.ts', status: 'failed', message: 'no such module\n at x', assertionResults: [] },
      { name: 'b.test.ts', status: 'passed', message: '', assertionResults: [{ status: 'passed' }] },
    ];
    const totals = readTotals('vitest', vitest({ testResults }), 1);
    expect(totals).toMatchObject({ failed: 1, failures: ['a.test.ts: no such module'] });
  });

  it('names what failed', () => {
    const failed = {
      status: 'failed',
      fullName: 'a queue keeps order',
      failureMessages: ['expected 1 to be 2\n at y'],
    };
    const testResults = [{ name: 'a.test.ts', status: 'failed', message: '', assertionResults: [failed] }];
    expect(readTotals('vitest', vitest({ numFailedTests: 1, testResults }), 1).failures).toEqual([
      'a.test.ts: a queue keeps order: expected 1 to be 2',
    ]);
    const spec = (title: string, status: string) => ({ title, tests: [{ status }] });
    const inner = { file: 'b.spec.ts', specs: [spec('slept', 'flaky'), spec('woke', 'expected')] };
    const suites = [{ file: 'b.spec.ts', specs: [spec('started', 'unexpected')], suites: [inner] }];
    expect(readTotals('playwright', playwright({ unexpected: 1, flaky: 1 }, [], suites), 1).failures).toEqual([
      'b.spec.ts: started',
      'b.spec.ts: slept',
    ]);
  });

  it('counts a crash', () => {
    expect(readTotals('vitest', null, null).failed).toBe(1);
    expect(readTotals('playwright', '{"half":', 1).failed).toBe(1);
    expect(readTotals('vitest', vitest({}), 1).failed).toBe(1);
    expect(readTotals('playwright', playwright({}, [{}]), 1).failed).toBe(1);
  });

  it('ends with the line that CI reads', () => {
    expect(totalsLine({ passed: 3, failed: 0, skipped: 2, failures: [] })).toBe('3 passed, 0 failed, 2 skipped');
  });
});
