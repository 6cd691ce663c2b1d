/**
 * Runs every check, also after one has failed, so that one run shows everything. As many at once as there are
 * processors; what a check says is printed in one piece when it has ended.
 */
import { spawn } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { resolve } from 'node:path';
import { text } from 'node:stream/consumers';

type Check = readonly [name: string, command: string, ...args: string[]];

const root = resolve(import.meta.dirname, '..');

const eslint = (part: string, ...folders: string[]): Check => {
  const cache = `node_modules/.cache/eslint-${part}`;
  return [`ESLint ${part}`, 'eslint', '--cache', '--cache-location', cache, '--max-warnings', '0', ...folders];
};

/** Long ones first: that is when two processors are done soonest. */
const checks: readonly Check[] = [
  eslint('frontend', 'frontend'),
  eslint('others', '.', '--ignore-pattern', 'frontend/**'),
  ['types', 'npm', 'run', '--silent', 'typecheck'],
  ['Prettier', 'prettier', '--log-level', 'warn', '--cache', '--check', '.'],
  ['unused code', 'knip', '--no-progress'],
];

const passes = async ([name, command, ...args]: Check): Promise<boolean> => {
  const startedMs = performance.now();
  const child = spawn(command, args, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] });
  const ended = new Promise<number | null>((resolvePromise, reject) => {
    child.once('error', reject);
    child.once('close', resolvePromise);
  });
  const [code, out, problems] = await Promise.all([ended, text(child.stdout), text(child.stderr)]);
  const seconds = Math.round((performance.now() - startedMs) / 1000);
  process.stderr.write(`${name}: ${code === 0 ? 'fine' : 'FAILED'} (${seconds} s)\n${out}${problems}`);
  return code === 0;
};

const waiting = [...checks];
const failed: string[] = [];
const work = async (): Promise<void> => {
  for (let check = waiting.shift(); check !== undefined; check = waiting.shift()) {
    if (!(await passes(check))) failed.push(check[0]);
  }
};
await Promise.all(Array.from({ length: availableParallelism() }, work));
if (failed.length > 0) {
  process.stderr.write(`Failed: ${failed.join(', ')}\n`);
  process.exitCode = 1;
}
