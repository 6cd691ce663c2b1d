/**
 * Builds what changed since the last build: backend/dist/*.js, sandbox/dist/*.js and frontend/dist.
 *
 * node scripts/build.ts [server|backend|sandbox|frontend] [--force]     (server: backend and sandbox)
 *
 * Files are replaced one by one, each in one step, and never a whole folder: a running server hands out
 * frontend/dist, and running sandboxes have sandbox/dist mounted.
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { build } from 'esbuild';
import { filesBelow, root, serverOptions } from './bundles.ts';

const force = process.argv.includes('--force');
const only = process.argv.slice(2).find((argument) => !argument.startsWith('--'));

/** Changes when any input of a build changes. */
const digestOf = (paths: readonly string[]): string => {
  const hash = createHash('sha256');
  const files = paths.flatMap((path) => (path.includes('.') ? [join(root, path)] : filesBelow(path)));
  for (const file of files) hash.update(file).update('\0').update(readFileSync(file)).update('\0');
  return hash.digest('hex');
};

const replaceFile = (path: string, content: string | Uint8Array): void => {
  mkdirSync(dirname(path), { recursive: true });
  const temporary = `${path}.${process.pid}.tmp`;
  writeFileSync(temporary, content);
  renameSync(temporary, path);
};

const removeExcept = (folder: string, keep: ReadonlySet<string>): void => {
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    if (entry.isFile() && !keep.has(path)) rmSync(path, { force: true });
  }
};

/** Runs `work` unless `inputs` are the same as when it last ran. */
const whenChanged = async (dist: string, inputs: readonly string[], work: () => Promise<void>): Promise<void> => {
  const stamp = join(root, dist, '.built-from');
  const digest = digestOf([
    ...inputs,
    'package-lock.json',
    'tsconfig.base.json',
    'scripts/build.ts',
    'scripts/bundles.ts',
  ]);
  if (!force && existsSync(stamp) && readFileSync(stamp, 'utf8') === digest) return;
  process.stderr.write(`Building ${dirname(dist)} …\n`);
  await work();
  replaceFile(stamp, digest);
};

const buildServer = (workspace: string): Promise<void> =>
  whenChanged(`${workspace}/dist`, [`${workspace}/src`, 'contracts/src'], async () => {
    const { outputFiles } = await build({ ...serverOptions(workspace), write: false });
    for (const file of outputFiles) replaceFile(file.path, file.contents);
    removeExcept(join(root, workspace, 'dist'), new Set(outputFiles.map((file) => file.path)));
  });

const isPage = (name: string): boolean => /\.html(\.\w+)?$/.test(name);

/** Vite empties its output folder first, so it gets one of its own. Scripts come before the page that names them. */
const buildFrontend = (): Promise<void> =>
  whenChanged('frontend/dist', ['frontend', 'contracts/src', '.version'], async () => {
    const fresh = join(root, 'frontend/node_modules/.build');
    const dist = join(root, 'frontend/dist');
    const args = [
      'node_modules/vite/bin/vite.js',
      'build',
      'frontend',
      '--outDir',
      fresh,
      '--emptyOutDir',
      '--logLevel',
      'warn',
    ];
    const { status } = spawnSync(process.execPath, [join(root, args[0] ?? ''), ...args.slice(1)], {
      cwd: root,
      stdio: 'inherit',
    });
    if (status !== 0) throw new Error('The frontend could not be built; the reason is above.');
    mkdirSync(dist, { recursive: true });
    const names = readdirSync(fresh, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name).slice(fresh.length + 1))
      .sort((a, b) => Number(isPage(a)) - Number(isPage(b)));
    const keep = new Set<string>();
    for (const name of names) {
      const target = join(dist, name);
      mkdirSync(dirname(target), { recursive: true });
      cpSync(join(fresh, name), `${target}.tmp`);
      renameSync(`${target}.tmp`, target);
      keep.add(target);
    }
    removeExcept(dist, keep);
    rmSync(fresh, { recursive: true, force: true });
  });

try {
  const parts =
    only === undefined ? ['backend', 'sandbox', 'frontend'] : only === 'server' ? ['backend', 'sandbox'] : [only];
  await Promise.all(parts.filter((part) => part === 'backend' || part === 'sandbox').map(buildServer));
  if (parts.includes('frontend')) await buildFrontend();
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}
