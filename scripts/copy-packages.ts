/**
 * Copies packages with all they need out of node_modules, for an image that has no other packages.
 *
 * node scripts/copy-packages.ts FOLDER PACKAGE...
 */
import { cpSync, existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

const root = resolve(import.meta.dirname, '..');
const [target, ...names] = process.argv.slice(2);
if (target === undefined || names.length === 0) throw new Error('Usage: copy-packages.ts FOLDER PACKAGE...');

const copied = new Set<string>();

/** A package below the one that needs it comes along with that one. */
const copy = (name: string, neededBy: string | null): void => {
  if (neededBy !== null && existsSync(join(neededBy, 'node_modules', name))) return;
  if (copied.has(name)) return;
  copied.add(name);
  const folder = join(root, 'node_modules', name);
  const { dependencies = {} } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as {
    dependencies?: Record<string, string>;
  };
  cpSync(folder, join(target, name), { recursive: true, dereference: true });
  for (const dependency of Object.keys(dependencies)) copy(dependency, folder);
};

for (const name of names) copy(name, null);
