import { writeFileSync } from 'node:fs';
import type { Reporter, TestCase, TestModule, TestSuite } from 'vitest/node';
import { firstLine, type Totals } from './totals.ts';

const messageOf = (errors: readonly { readonly message: string }[] | undefined): string =>
  firstLine(errors?.[0]?.message ?? 'no reason given');

/** A hook that fails leaves tests out and fails none: the failure is that of the suite or the file. */
const suiteFailures = (suite: TestModule | TestSuite): string[] =>
  suite.errors().map(({ message }) => `${suite.type === 'suite' ? suite.fullName : 'the file'}: ${firstLine(message)}`);

const isUnsteady = (test: TestCase): boolean => test.diagnostic()?.flaky === true;

const lineOf = (module: TestModule, test: TestCase): string =>
  `${module.relativeModuleId}: ${test.fullName}: ${messageOf(test.result().errors)}`;

const moduleFailures = (module: TestModule): string[] => [
  ...[module, ...module.children.allSuites()]
    .flatMap(suiteFailures)
    .map((text) => `${module.relativeModuleId}: ${text}`),
  ...[...module.children.allTests('failed')].map((test) => lineOf(module, test)),
];

/** What a run comes to. `unhandled` are errors outside of any test, which the runner's own reports do not hold. */
export const totalsOf = (
  modules: readonly TestModule[],
  unhandled: readonly { readonly message: string }[],
): Totals => {
  const tests: TestCase[] = modules.flatMap((module) => [...module.children.allTests()]);
  const count = (state: string): number => tests.filter((test) => test.result().state === state).length;
  const failures = [
    ...modules.flatMap(moduleFailures),
    ...unhandled.map(({ message }) => `outside of any test: ${firstLine(message)}`),
  ];
  const unsteady = modules.flatMap((module) =>
    [...module.children.allTests('passed')].filter(isUnsteady).map((test) => lineOf(module, test)),
  );
  const skipped = count('skipped') + count('pending');
  return { passed: count('passed'), failed: failures.length, skipped, failures, unsteady };
};

/** Writes the totals of a run to the file of SAC_TEST_TOTALS. */
export default class TotalsReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], unhandled: readonly { readonly message: string }[]): void {
    const file = process.env['SAC_TEST_TOTALS'];
    if (file !== undefined) writeFileSync(file, JSON.stringify(totalsOf(modules, unhandled)));
  }
}
