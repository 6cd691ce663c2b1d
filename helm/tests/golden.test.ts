import { readdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { casesDir, chartDir, lint, renderText, requireHelm, withoutVersion } from './helm.ts';

beforeAll(requireHelm);

const cases = [
  ...readdirSync(casesDir).map((name) => join(casesDir, name)),
  join(chartDir, 'values-trial.yaml'),
  join(chartDir, 'values-production.yaml'),
];

/** `vitest run --update` writes them anew; the difference is what a reviewer reads. */
describe.each(cases.map((file) => [basename(file, '.yaml'), file]))('%s', (name, file) => {
  test('renders what is checked in', async () => {
    const { failed, text } = await renderText([file]);
    expect(failed, text).toBe(false);
    await expect(withoutVersion(text)).toMatchFileSnapshot(`golden/${name}.yaml`);
  });

  test('passes helm lint', async () => {
    const { failed, text } = await lint([file]);
    expect(failed, text).toBe(false);
  });
});
