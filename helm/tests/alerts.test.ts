import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { stringify } from 'yaml';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { casesDir, type KubernetesObject, render, requireHelm } from './helm.ts';

const run = promisify(execFile);
const folder = mkdtempSync(join(tmpdir(), 'sac-test-alerts-'));
const rulesFile = join(folder, 'rules.yaml');
const testsFile = join(folder, 'tests.yaml');

/** @throws with what promtool says when it is not satisfied */
const promtool = async (...args: readonly string[]): Promise<string> => {
  const { stdout } = await run('promtool', [...args], { timeout: 30_000 });
  return stdout;
};

interface Rules {
  readonly groups: readonly { readonly rules: readonly { readonly alert: string }[] }[];
}
let rules: KubernetesObject | undefined;

beforeAll(async () => {
  requireHelm();
  const objects = await render([join(casesDir, 'everything.yaml')]);
  rules = objects.find(({ kind }) => kind === 'PrometheusRule');
  writeFileSync(rulesFile, stringify(rules?.spec));
  const text = readFileSync(join(import.meta.dirname, 'alerts.yaml'), 'utf8');
  writeFileSync(testsFile, text.replaceAll('RULES', rulesFile));
});
afterAll(() => {
  rmSync(folder, { recursive: true });
});

test('Prometheus takes the alert rules', async () => {
  expect(await promtool('check', 'rules', rulesFile)).toContain('SUCCESS');
});

test('alerts fire where they should, and are quiet in an installation that works', async () => {
  expect(await promtool('test', 'rules', testsFile)).toContain('SUCCESS');
});

test('each alert is tried', () => {
  const tried = readFileSync(testsFile, 'utf8');
  const names = (rules?.spec as Rules).groups.flatMap((group) => group.rules.map(({ alert }) => alert));
  expect(names.length).toBeGreaterThan(10);
  expect(names.filter((name) => !tried.includes(name))).toEqual([]);
});
