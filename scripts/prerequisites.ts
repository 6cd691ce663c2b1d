import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import { delimiter, join, resolve } from 'node:path';

const root = resolve(import.meta.dirname, '..');

const succeeds = (command: string, args: readonly string[]): boolean =>
  spawnSync(command, args, { stdio: 'ignore' }).status === 0;

const isOnPath = (program: string): boolean => succeeds('sh', ['-c', `command -v ${program}`]);

const canInstallPackages = (): boolean => process.getuid?.() === 0 && isOnPath('apt-get');

const installPackages = (packages: readonly string[]): boolean => {
  process.stderr.write(`Installing ${packages.join(', ')} …\n`);
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  const run = (args: readonly string[]): boolean =>
    spawnSync('apt-get', args, { env, stdio: ['ignore', 'ignore', 'inherit'] }).status === 0;
  const install = ['install', '-y', '-qq', '--no-install-recommends', ...packages];
  return run(install) || (run(['update', '-qq']) && run(install));
};

/** Agents of other people are kept apart by bubblewrap; tests that leave it out would prove nothing. */
export const ensureBubblewrap = (): void => {
  // More than once: it gives up when a mount below / goes away meanwhile.
  const canIsolate = (): boolean => [1, 2, 3].some(() => isolates());
  const isolates = (): boolean =>
    succeeds('bwrap', [
      '--ro-bind',
      '/',
      '/',
      '--unshare-user',
      '--unshare-pid',
      '--proc',
      '/proc',
      '--dev',
      '/dev',
      'true',
    ]);
  if (canIsolate()) return;
  if (!isOnPath('bwrap') && canInstallPackages()) installPackages(['bubblewrap']);
  if (canIsolate()) return;
  throw new Error(
    isOnPath('bwrap')
      ? 'bubblewrap cannot make namespaces here. Allow them (sysctl kernel.unprivileged_userns_clone=1, and on Ubuntu kernel.apparmor_restrict_unprivileged_userns=0), or run the tests in a container started with --privileged.'
      : 'The tests need bubblewrap. Install it (Debian and Ubuntu: apt-get install bubblewrap) and run them again.',
  );
};

const SYSTEM_CHROMIUM = '/usr/bin/chromium';

const playwrightHasBrowser = (): boolean =>
  succeeds(process.execPath, [
    '-e',
    `const { chromium } = require('@playwright/test'); process.exit(require('node:fs').existsSync(chromium.executablePath()) ? 0 : 1)`,
  ]);

/** The system's Chromium, else Playwright's own. */
export const ensureBrowser = (): void => {
  if (existsSync(SYSTEM_CHROMIUM) || playwrightHasBrowser()) return;
  if (canInstallPackages()) installPackages(['chromium']);
  if (existsSync(SYSTEM_CHROMIUM)) return;
  process.stderr.write('Fetching a browser for the tests …\n');
  const cli = join(root, 'node_modules/@playwright/test/cli.js');
  spawnSync(process.execPath, [cli, 'install', 'chromium', '--only-shell'], {
    cwd: root,
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  if (playwrightHasBrowser()) return;
  throw new Error(
    'The browser tests need Chromium. Install it as /usr/bin/chromium (Debian: apt-get install chromium) and run them again.',
  );
};

/** The tests of the alerts ask Prometheus' own promtool. Where Debian has it, its package is unpacked, not installed: that would start a server. */
export const ensurePromtool = (): void => {
  if (isOnPath('promtool')) return;
  const folder = join(root, '.toolchain/prometheus');
  const bin = join(folder, 'usr/bin');
  if (!existsSync(join(bin, 'promtool')) && isOnPath('apt-get') && isOnPath('dpkg-deb')) {
    process.stderr.write('Fetching promtool …\n');
    mkdirSync(folder, { recursive: true });
    const run = (command: string, ...args: readonly string[]): boolean =>
      spawnSync(command, args, { cwd: folder, stdio: ['ignore', 'ignore', 'inherit'] }).status === 0;
    const fetched =
      run('apt-get', 'download', '-q', 'prometheus') ||
      (run('apt-get', 'update', '-qq') && run('apt-get', 'download', '-q', 'prometheus'));
    if (fetched) run('sh', '-c', 'dpkg-deb -x prometheus_*.deb . && rm prometheus_*.deb usr/bin/prometheus');
  }
  if (!existsSync(join(bin, 'promtool')))
    throw new Error(
      'The tests of the alerts need promtool. Install Prometheus (https://prometheus.io/download/) and run them again.',
    );
  process.env['PATH'] = `${bin}${delimiter}${process.env['PATH'] ?? ''}`;
};
