/**
 * Installs CLIs into an image: node scripts/image-clis.ts FOLDER NAME...
 *
 * In the same versions and in the same way as on one machine; `FOLDER/node_modules` then holds them. Ends with 1 and the
 * reason when one is unknown or not whole.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { cliPins, type CliPin } from '../backend/src/runtimes/local/cli-pins.ts';

const [folder = '', ...names] = process.argv.slice(2);

const run = (command: string, args: readonly string[], cwd: string): void => {
  const { status, error } = spawnSync(command, args, { cwd, stdio: 'inherit' });
  if (status !== 0)
    throw new Error(`${command} ${args.join(' ')} ended with ${error?.message ?? `exit code ${status}`}`);
};

const pinOf = (name: string): CliPin => {
  const pin = Object.entries(cliPins).find(([each]) => each === name)?.[1];
  if (pin === undefined) throw new Error(`No CLI is called ${name}; there are ${Object.keys(cliPins).join(', ')}.`);
  return pin;
};

try {
  const pins = names.map(pinOf);
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'package.json'), '{"private":true}\n');
  const packages = pins.map(({ packageName, version }) => `${packageName}@${version}`);
  const flags = ['--no-package-lock', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'];
  if (packages.length > 0) run('npm', ['install', ...flags, '--prefix', folder, ...packages], folder);
  for (const { packageName, finishScript, entry, minEntryBytes, title } of pins) {
    const packageFolder = join(folder, 'node_modules', packageName);
    if (finishScript !== null) run(process.execPath, [finishScript], packageFolder);
    const { size } = statSync(join(folder, 'node_modules', entry));
    if (size < minEntryBytes) throw new Error(`${title}: ${entry} has only ${size} bytes after the installation.`);
  }
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}
