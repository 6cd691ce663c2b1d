/**
 * Writes helm/sac/README.md from the comments of values.yaml. With --check it changes nothing and fails when the file
 * would change.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { isMap, parseDocument, type Pair, type YAMLMap } from 'yaml';

const chart = resolve(import.meta.dirname, '../helm/sac');
const check = process.argv.includes('--check');

interface Setting {
  readonly path: string;
  readonly value: unknown;
  readonly description: string;
}

/** The lines after `--` in the comment above a setting, joined; null for one without. */
const descriptionIn = (comment: string | null | undefined): string | null => {
  const lines = (comment ?? '').split('\n').map((line) => line.trim());
  const start = lines.findLastIndex((line) => line.startsWith('-- '));
  return start < 0 ? null : lines.slice(start).join(' ').slice(3).trim();
};

const keyOf = (pair: Pair): string => String((pair.key as { value: unknown }).value);

/** The comment above the first key of a map belongs to the map, in the parser's eyes. */
const commentOf = (map: YAMLMap, pair: Pair): string | null | undefined =>
  (pair.key as { commentBefore?: string }).commentBefore ?? (map.items[0] === pair ? map.commentBefore : null);

const settingsIn = (map: YAMLMap, prefix: string): Setting[] =>
  (map.items as Pair[]).flatMap((pair) => {
    const path = `${prefix}${keyOf(pair)}`;
    const description = descriptionIn(commentOf(map, pair));
    if (description !== null) {
      const value: unknown = (pair.value as { toJSON(): unknown } | null)?.toJSON();
      return [{ path, value, description }];
    }
    if (isMap(pair.value)) return settingsIn(pair.value, `${path}.`);
    throw new Error(`${path} in values.yaml has no comment that starts with "# -- ".`);
  });

const cell = (text: string): string => text.replaceAll('|', '\\|');
const shown = (value: unknown): string => {
  const text = JSON.stringify(value) ?? '';
  return text.length > 120 ? 'see values.yaml' : `\`${cell(text)}\``;
};

const table = (settings: readonly Setting[]): string =>
  [
    '| setting | default | |',
    '|---|---|---|',
    ...settings.map(({ path, value, description }) => `| \`${path}\` | ${shown(value)} | ${cell(description)} |`),
  ].join('\n');

const values = parseDocument(readFileSync(`${chart}/values.yaml`, 'utf8')).contents;
if (!isMap(values)) throw new Error('values.yaml holds no settings.');
const readme = `${chart}/README.md`;
const [head] = readFileSync(readme, 'utf8').split('<!-- settings -->', 1);
const text = `${head ?? ''}<!-- settings -->\n\n${table(settingsIn(values, ''))}\n`;
if (!check) writeFileSync(readme, text);
else if (readFileSync(readme, 'utf8') !== text) {
  process.stderr.write('helm/sac/README.md does not fit values.yaml. Write it anew with: make chart-docs\n');
  process.exitCode = 1;
}
