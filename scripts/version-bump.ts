/** Sets the one version number, which everything else reads from .version; a chart cannot, so it is told. `node scripts/version-bump.ts 1.2.3|major|minor|patch` */
import { readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

const root = resolve(import.meta.dirname, '..');
const wish = process.argv[2] ?? 'patch';
const versionFile = join(root, '.version');
const chartFile = join(root, 'helm/sac/Chart.yaml');
const pattern = /^(\d+)\.(\d+)\.(\d+)$/;

const next = (current: string): string => {
  if (pattern.test(wish)) return wish;
  const [, major = '0', minor = '0', patch = '0'] = pattern.exec(current) ?? [];
  if (wish === 'major') return `${Number(major) + 1}.0.0`;
  if (wish === 'minor') return `${major}.${Number(minor) + 1}.0`;
  if (wish === 'patch') return `${major}.${minor}.${Number(patch) + 1}`;
  throw new Error(`"${wish}" is neither a version like 1.2.3 nor major, minor or patch.`);
};

try {
  const current = readFileSync(versionFile, 'utf8').trim();
  const version = next(current);
  writeFileSync(versionFile, `${version}\n`);
  const chart = readFileSync(chartFile, 'utf8');
  writeFileSync(chartFile, chart.replace(/^(version|appVersion): .*$/gm, `$1: ${version}`));
  process.stdout.write(`${current} -> ${version}\n`);
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}
