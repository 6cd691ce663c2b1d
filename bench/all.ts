/**
 * All measurements, one after the other: `make bench`, or `make bench ARGS=terminal-relay` for some. Each prints its
 * figures; a bound that one breaks does not keep the others from being measured, and the exit code is 1 in the end.
 */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const scripts = ['one-machine', 'terminal-relay', 'terminal-server', 'terminal-page', 'prompts'];
const wanted = process.argv.slice(2);
const unknown = wanted.filter((name) => !scripts.includes(name));
if (unknown.length > 0) throw new Error(`no measurement ${unknown.join(', ')}; there are ${scripts.join(', ')}`);

for (const name of wanted.length === 0 ? scripts : wanted) {
  console.log(`\n== ${name}`);
  const path = fileURLToPath(new URL(`./${name}.ts`, import.meta.url));
  if (spawnSync(process.execPath, [path], { stdio: 'inherit' }).status !== 0) process.exitCode = 1;
}
