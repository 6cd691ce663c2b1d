import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CliCatalog, type CliCatalogOptions } from './cli-catalog.ts';
import { CliInstallError } from './cli-install-error.ts';
import { cliPins } from './cli-pins.ts';

let dir: string;
let catalogs: CliCatalog[];
const never = new AbortController().signal;
const logger = pino({ level: 'silent' });
const environment = { PATH: '/usr/bin:/bin', HOME: tmpdir() };

const catalogWith = (options: Partial<CliCatalogOptions>): CliCatalog => {
  const catalog = new CliCatalog({
    dir: join(dir, 'clis'),
    nodePath: process.execPath,
    npmPath: '/usr/bin/npm',
    env: environment,
    logger,
    ...options,
  });
  catalogs.push(catalog);
  return catalog;
};

/** A program in npm's place, so that a test decides how an installation goes; it gets npm's own arguments. */
const program = async (body: string): Promise<string> => {
  const path = join(dir, `npm-${Math.random().toString(36).slice(2)}`);
  await writeFile(
    path,
    `#!/bin/sh\necho run >> ${dir}/runs\nprefix=\nwhile [ $# -gt 0 ]; do [ "$1" = --prefix ] && prefix=$2; shift; done\n${body}\n`,
  );
  await chmod(path, 0o755);
  return path;
};
const installsGemini =
  'mkdir -p $prefix/node_modules/@google/gemini-cli/bundle; umask 077; head -c 2000 /dev/zero > $prefix/node_modules/@google/gemini-cli/bundle/gemini.js';
const runs = async (): Promise<number> =>
  (await readFile(join(dir, 'runs'), 'utf8').catch(() => '')).split('\n').length - 1;
const failureOf = async (promise: Promise<unknown>) => {
  const error: unknown = await promise.then(
    () => null,
    (reason: unknown) => reason,
  );
  if (!(error instanceof CliInstallError)) throw new Error(`expected a CliInstallError, got ${String(error)}`);
  return error.failure;
};

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'sac-clis-'));
  catalogs = [];
});
afterEach(async () => {
  await Promise.all(catalogs.map((catalog) => catalog.close()));
  await rm(dir, { recursive: true, force: true });
});

describe('installing', () => {
  it('installs once for many callers, lets every user read it and keeps it', async () => {
    const catalog = catalogWith({ npmPath: await program(`sleep 0.2; ${installsGemini}`) });
    const results = await Promise.all(
      Array.from({ length: 5 }, () => catalog.ensureInstalled('gemini', () => undefined, never)),
    );
    expect(new Set(results.map((result) => result.dir)).size).toBe(1);
    const entry = join(results[0]?.dir ?? '', 'node_modules', cliPins.gemini.entry);
    expect((await stat(entry)).mode & 0o444).toBe(0o444);
    await catalogWith({ npmPath: '/bin/false' }).ensureInstalled('gemini', () => undefined, never);
    expect(await runs()).toBe(1);
    expect(catalog.list().find(({ name }) => name === 'gemini')).toMatchObject({
      installed: true,
      version: cliPins.gemini.version,
    });
  });

  it('installs once for two processes', async () => {
    const npmPath = await program(`sleep 0.3; ${installsGemini}`);
    const both = await Promise.all(
      [catalogWith({ npmPath }), catalogWith({ npmPath })].map((catalog) =>
        catalog.ensureInstalled('gemini', () => undefined, never),
      ),
    );
    expect(both[0]).toEqual(both[1]);
    expect(await runs()).toBe(1);
  });

  it('tells how far it is', async () => {
    const catalog = catalogWith({ npmPath: await program(`${installsGemini}; sleep 1.2`) });
    const seen: number[] = [];
    await catalog.ensureInstalled(
      'gemini',
      ({ doneBytes, totalBytes }) => {
        expect(totalBytes).toBe(cliPins.gemini.installedBytes);
        seen.push(doneBytes);
      },
      never,
    );
    expect(seen.at(-1)).toBeGreaterThanOrEqual(2000);
  });

  it('heals an installation that was interrupted, and sweeps what it left', async () => {
    const final = join(dir, 'clis', `gemini-${cliPins.gemini.version}`);
    await mkdir(join(final, 'node_modules'), { recursive: true });
    await mkdir(`${final}.abc.tmp/node_modules`, { recursive: true });
    await writeFile(`${final}.lock`, '4194399');
    await catalogWith({ npmPath: await program(installsGemini) }).ensureInstalled('gemini', () => undefined, never);
    expect(await readdir(join(dir, 'clis'))).toEqual([`gemini-${cliPins.gemini.version}`]);
  });

  it.each([
    ['an id that another process has now, as after a reboot', `${process.ppid} 1`],
    ['nothing, as after a loss of power', ''],
  ])('takes over a lock that holds %s', async (_what, content) => {
    const lock = join(dir, 'clis', `gemini-${cliPins.gemini.version}.lock`);
    await mkdir(join(dir, 'clis'), { recursive: true });
    await writeFile(lock, content);
    const anHourAgo = new Date(Date.now() - 3_600_000);
    await utimes(lock, anHourAgo, anHourAgo);
    await catalogWith({ npmPath: await program(installsGemini) }).ensureInstalled('gemini', () => undefined, never);
    expect(await readdir(join(dir, 'clis'))).toEqual([`gemini-${cliPins.gemini.version}`]);
  });

  it('stops waiting when the caller does, and goes on for the others', async () => {
    const catalog = catalogWith({ npmPath: await program(`sleep 0.4; ${installsGemini}`) });
    const impatient = new AbortController();
    const first = catalog.ensureInstalled('gemini', () => undefined, impatient.signal);
    const second = catalog.ensureInstalled('gemini', () => undefined, never);
    impatient.abort(new Error('closed the tab'));
    await expect(first).rejects.toThrow('closed the tab');
    await expect(second).resolves.toHaveProperty('dir');
  });

  it('ends npm and all it started when it closes', async () => {
    const catalog = catalogWith({ npmPath: await program(`sleep 60 & echo $! > ${dir}/pid; wait`) });
    const waiting = failureOf(catalog.ensureInstalled('gemini', () => undefined, never));
    while ((await readFile(join(dir, 'pid'), 'utf8').catch(() => '')) === '')
      await new Promise((resolve) => setTimeout(resolve, 20));
    await catalog.close();
    expect(await waiting).toMatchObject({ code: 'cli_install_failed' });
    const pid = Number(await readFile(join(dir, 'pid'), 'utf8'));
    // Killed: gone, or waiting for its new parent to take note.
    await expect
      .poll(() =>
        readFile(`/proc/${pid}/stat`, 'utf8').then(
          (text) => text.split(') ')[1]?.[0],
          () => 'Z',
        ),
      )
      .toBe('Z');
  });
});

describe('failures say what to do', () => {
  it('registry that cannot be reached, with the real npm', async () => {
    const env = {
      PATH: `${dirname(process.execPath)}:/usr/bin:/bin`,
      HOME: dir,
      npm_config_registry: 'http://127.0.0.1:9',
      npm_config_fetch_retries: '0',
    };
    const failure = await failureOf(catalogWith({ env }).ensureInstalled('gemini', () => undefined, never));
    expect(failure).toMatchObject({
      code: 'cli_install_failed',
      reason: expect.stringContaining('registry cannot be reached') as string,
    });
    expect(failure.fix).toContain('proxy');
    expect(failure.output).toContain('ECONNREFUSED');
  });

  it.each([
    ['npm error code ENOSPC', 'storage_full', 'disk is full'],
    ['npm error code ETARGET', 'cli_install_failed', 'does not have the version'],
    ['npm error code SELF_SIGNED_CERT_IN_CHAIN', 'cli_install_failed', 'certificate'],
    ['npm error something new', 'cli_install_failed', 'exit code 1'],
  ])('%s', async (said, code, reason) => {
    const failure = await failureOf(
      catalogWith({ npmPath: await program(`echo '${said}' >&2; exit 1`) }).ensureInstalled(
        'gemini',
        () => undefined,
        never,
      ),
    );
    expect(failure.code).toBe(code);
    expect(failure.reason).toContain(reason);
    expect(failure.output).toContain(said);
    expect(await readdir(join(dir, 'clis'))).toEqual([]);
  });

  it('npm that says it worked but left no program', async () => {
    const failure = await failureOf(
      catalogWith({ npmPath: await program('mkdir -p $prefix/node_modules') }).ensureInstalled(
        'gemini',
        () => undefined,
        never,
      ),
    );
    expect(failure.reason).toContain('missing');
  });
});

describe('a CLI on the search path', () => {
  const place = async (version: string): Promise<string> => {
    const root = join(dir, 'global');
    const folder = join(root, 'lib/node_modules/@google/gemini-cli');
    await mkdir(join(folder, 'bundle'), { recursive: true });
    await mkdir(join(root, 'bin'), { recursive: true });
    await writeFile(join(folder, 'package.json'), JSON.stringify({ version }));
    await writeFile(join(folder, 'bundle/gemini.js'), '/'.repeat(500));
    await symlink(join(folder, 'bundle/gemini.js'), join(root, 'bin/gemini'));
    return root;
  };

  it('is used when it is that very version', async () => {
    const root = await place(cliPins.gemini.version);
    const catalog = catalogWith({ npmPath: '/bin/false', env: { PATH: join(root, 'bin') } });
    expect(await catalog.ensureInstalled('gemini', () => undefined, never)).toEqual({ dir: join(root, 'lib') });
  });

  it('is left alone when it is another one', async () => {
    const root = await place('0.1.0');
    const catalog = catalogWith({
      npmPath: await program(installsGemini),
      env: { PATH: `${join(root, 'bin')}:/usr/bin:/bin` },
    });
    expect((await catalog.ensureInstalled('gemini', () => undefined, never)).dir).toContain('clis/gemini-');
  });
});
