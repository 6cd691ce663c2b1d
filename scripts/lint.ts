/** Runs every check, also after one has failed, so that one run shows everything. */
import { spawnSync } from 'node:child_process';
import { resolve } from 'node:path';

const root = resolve(import.meta.dirname, '..');

const checks: readonly (readonly [name: string, command: string, ...args: string[]])[] = [
  ['types', 'npm', 'run', '--silent', 'typecheck'],
  ['ESLint', 'eslint', '--cache', '--cache-location', 'node_modules/.cache/eslint', '--max-warnings', '0', '.'],
  ['Prettier', 'prettier', '--log-level', 'warn', '--cache', '--check', '.'],
  ['unused code', 'knip', '--no-progress'],
];

const failed = checks.filter(([name, command, ...args]) => {
  process.stderr.write(`${name} …\n`);
  return spawnSync(command, args, { cwd: root, stdio: 'inherit' }).status !== 0;
});
if (failed.length > 0) {
  process.stderr.write(`Failed: ${failed.map(([name]) => name).join(', ')}\n`);
  process.exitCode = 1;
}
