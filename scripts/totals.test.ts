import { describe, expect, it } from 'vitest';
import { add, judged, noTests, readTotals, totalsLine } from './totals.ts';

const vitest = (totals: object): string =>
  JSON.stringify({ passed: 3, failed: 0, skipped: 2, failures: [], unsteady: [], ...totals });
const playwright = (stats: object, errors: unknown[] = [], suites: unknown[] = []): string =>
  JSON.stringify({ stats: { expected: 2, unexpected: 0, flaky: 0, skipped: 0, ...stats }, errors, suites });

describe('readTotals', () => {
  it('reads both reports', () => {
    expect(readTotals('vitest', vitest({}), 0)).toMatchObject({ passed: 3, failed: 0, skipped: 2 });
    expect(readTotals('playwright', playwright({ skipped: 4 }), 0)).toMatchObject({ passed: 2, failed: 0, skipped: 4 });
  });

  it('counts what passed the second time only as passed, and takes many of those for a fault', () => {
    const totals = readTotals('playwright', playwright({ flaky: 1 }), 0);
    expect(totals).toMatchObject({ passed: 3, failed: 0, skipped: 0 });
    const unsteady = (count: number) => ({
      ...noTests,
      unsteady: Array.from({ length: count }, () => 'a.test.ts: slow'),
    });
    expect(judged(add(totals, unsteady(3))).failed).toBe(0);
    expect(judged(add(totals, unsteady(4)))).toMatchObject({
      failed: 1,
      failures: ['4 tests passed the second time only; 3 may'],
    });
  });

  it('names what failed', () => {
    const failures = ['a.test.ts: a queue keeps order: expected 1 to be 2'];
    expect(readTotals('vitest', vitest({ failed: 1, failures }), 1).failures).toEqual(failures);
    const errors = [{ message: '\u001b[31mnot seen\u001b[39m\n\n  Expected: 1', location: { line: 7 } }];
    const spec = (title: string, status: string) => ({ title, tests: [{ status, results: [{ errors }] }] });
    const inner = { file: 'b.spec.ts', specs: [spec('slept', 'flaky'), spec('woke', 'expected')] };
    const suites = [{ file: 'b.spec.ts', specs: [spec('started', 'unexpected')], suites: [inner] }];
    expect(readTotals('playwright', playwright({ unexpected: 1, flaky: 1 }, [], suites), 1)).toMatchObject({
      failures: ['b.spec.ts: started: line 7: not seen | Expected: 1'],
      unsteady: ['b.spec.ts: slept: line 7: not seen | Expected: 1'],
    });
  });

  it('counts a crash', () => {
    expect(readTotals('vitest', null, null).failed).toBe(1);
    expect(readTotals('playwright', '{"half":', 1).failed).toBe(1);
    expect(readTotals('vitest', vitest({}), 1).failed).toBe(1);
    expect(readTotals('playwright', playwright({}, [{}]), 1).failed).toBe(1);
  });

  it('ends with the line that CI reads', () => {
    expect(totalsLine({ ...noTests, passed: 3, skipped: 2 })).toBe('3 passed, 0 failed, 2 skipped');
  });
});
