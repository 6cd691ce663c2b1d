import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { casesDir, renderText, requireHelm } from './helm.ts';

beforeAll(requireHelm);

const folder = join(import.meta.dirname, 'must-fail');
const files = readdirSync(folder);

test('there are cases', () => {
  expect(files.length).toBeGreaterThan(10);
});

/** The first line of each says which words the refusal holds. */
test.each(files)('%s', async (name) => {
  const file = join(folder, name);
  const words = /^# (.+)$/m.exec(readFileSync(file, 'utf8'))?.[1];
  expect(words, `${name} says in its first line what the refusal holds`).toBeDefined();
  const { failed, text } = await renderText([join(casesDir, 'minimal.yaml'), file]);
  expect(failed, `${name} was accepted`).toBe(true);
  // Versions of Helm write paths with dots or with slashes.
  expect(text.replaceAll('/', '.')).toContain(words);
});
