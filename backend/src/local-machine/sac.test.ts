import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { identityOf } from './process-identity.ts';

/** The real command line in real data directories; nothing here is replaced by a stand-in. */
const root = join(import.meta.dirname, '../../..');
const bundle = join(root, 'backend/dist/sac.js');
const TIMEOUT_MS = 120_000;
const dataDirs: string[] = [];

interface Outcome {
  readonly code: number | null;
  readonly output: string;
}

const newDataDir = (): string => {
  const parent = mkdtempSync(join(tmpdir(), 'sac-one-'));
  dataDirs.push(parent);
  return join(parent, 'data');
};

const environment = (dataDir: string, port = '0'): NodeJS.ProcessEnv => ({
  PATH: process.env['PATH'],
  HOME: process.env['HOME'],
  SAC_DATA_DIR: dataDir,
  SAC_PORT: port,
  SAC_LOG_LEVEL: 'warn',
  SAC_DEMO: '1',
});

const execute = (command: string, args: readonly string[], env: NodeJS.ProcessEnv): Promise<Outcome> =>
  new Promise((resolve, reject) => {
    const child = spawn(command, args, { env, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()));
    child.once('error', reject);
    child.once('close', (code) => resolve({ code, output }));
  });

const sac = (dataDir: string, ...args: string[]): Promise<Outcome> =>
  execute(process.execPath, [bundle, ...args], environment(dataDir));

const lockedPid = (dataDir: string): number =>
  (JSON.parse(readFileSync(join(dataDir, 'sac.lock'), 'utf8')) as { pid: number }).pid;

const modelPid = (dataDir: string): number =>
  (JSON.parse(readFileSync(join(dataDir, 'run/demo-model.json'), 'utf8')) as { identity: { pid: number } }).identity
    .pid;

const databasePid = (dataDir: string): number =>
  Number(readFileSync(join(dataDir, 'postgres/postmaster.pid'), 'utf8').split('\n')[0]);

const urlIn = (output: string): string => {
  const url = /http:\/\/[\d.]+:\d+/.exec(output)?.[0];
  if (url === undefined) throw new Error(`no address in: ${output}`);
  return url;
};

const isReady = async (url: string): Promise<boolean> => (await fetch(`${url}/health/ready`)).ok;

const until = async (condition: () => boolean | Promise<boolean>): Promise<void> => {
  const deadline = Date.now() + 60_000;
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error('It did not happen within a minute.');
    await sleep(50);
  }
};

const kill = async (pid: number): Promise<void> => {
  process.kill(pid, 'SIGKILL');
  await until(() => identityOf(pid) === null);
};

beforeAll(() => {
  const { status } = spawnSync(process.execPath, ['scripts/build.ts', 'server'], { cwd: root, stdio: 'inherit' });
  expect(status).toBe(0);
}, TIMEOUT_MS);

afterAll(async () => {
  for (const parent of dataDirs) {
    await sac(join(parent, 'data'), 'stop');
    rmSync(parent, { recursive: true, force: true });
  }
}, TIMEOUT_MS);

describe('one installation, from first start to last stop', { timeout: TIMEOUT_MS }, () => {
  const dataDir = newDataDir();
  const keyFiles = ['master.key', 'access-token.keys', 'terminal-ticket.keys'];
  const keys = (): string[] => keyFiles.map((name) => readFileSync(join(dataDir, 'secrets', name), 'utf8'));
  let keysAtFirst: string[];

  it('starts in the background, answers, and prints a link for the first admin', async () => {
    const { code, output } = await sac(dataDir, 'start');
    expect(code, output).toBe(0);
    expect(output).toMatch(/http:\/\/127\.0\.0\.1:\d+\/welcome#[\w-]{43}/);
    expect(await isReady(urlIn(output))).toBe(true);
    keysAtFirst = keys();
  });

  it('keeps everything private', () => {
    for (const name of ['', 'secrets', 'run', 'logs', 'postgres']) {
      expect(statSync(join(dataDir, name)).mode & 0o077, name).toBe(0);
    }
    for (const name of keyFiles) expect(statSync(join(dataDir, 'secrets', name)).mode & 0o777).toBe(0o600);
  });

  it('says where it is when it is started again', async () => {
    const pid = lockedPid(dataDir);
    const { code, output } = await sac(dataDir, 'start');
    expect(code).toBe(0);
    expect(output).toContain(`running already (pid ${pid}`);
    expect(output).toMatch(/http:\/\/127\.0\.0\.1:\d+/);
    expect(output).toContain('make stop');
    const second = await sac(dataDir, 'run');
    expect(second.code).toBe(1);
    expect(second.output).toContain(`running already with this data directory (pid ${pid})`);
  });

  it('makes admin links', async () => {
    const links = [await sac(dataDir, 'admin-link'), await sac(dataDir, 'admin-link')];
    const [first, second] = links.map(({ output }) => /welcome#([\w-]+)/.exec(output)?.[1]);
    expect(first).not.toBe(second);
    const url = urlIn((await sac(dataDir, 'status')).output);
    const check = async (secret: string | undefined): Promise<number> => {
      const body = JSON.stringify({ kind: 'admin', secret });
      const headers = { 'content-type': 'application/json', origin: url };
      return (await fetch(`${url}/api/auth/check-link`, { method: 'POST', headers, body })).status;
    };
    expect(await check(second)).toBe(200);
    expect(await check(first)).toBe(404);
  });

  it('brings a killed PostgreSQL back', async () => {
    const url = urlIn((await sac(dataDir, 'status')).output);
    const before = databasePid(dataDir);
    await kill(before);
    await until(() => isReady(url));
    expect(databasePid(dataDir)).not.toBe(before);
    expect((await sac(dataDir, 'status')).output).toMatch(/db +running .*started again 1 times/);
  });

  it('restarts its parts', async () => {
    const before = databasePid(dataDir);
    expect(await sac(dataDir, 'restart', 'db')).toMatchObject({ code: 0 });
    expect(databasePid(dataDir)).not.toBe(before);
    expect(await sac(dataDir, 'restart', 'ws')).toMatchObject({ code: 0 });
    expect((await sac(dataDir, 'restart', 'nothing')).output).toContain('There are api, ws and db');
  });

  it('finds PostgreSQL again after a restart, at the same address', async () => {
    const url = urlIn((await sac(dataDir, 'status')).output);
    const [server, database] = [lockedPid(dataDir), databasePid(dataDir)];
    const { code, output } = await sac(dataDir, 'restart');
    expect(code, output).toBe(0);
    expect(urlIn(output)).toBe(url);
    expect(lockedPid(dataDir)).not.toBe(server);
    expect(databasePid(dataDir)).toBe(database);
  });

  it('finds PostgreSQL and the demo model again after it was killed', async () => {
    const database = databasePid(dataDir);
    const model = modelPid(dataDir);
    await kill(lockedPid(dataDir));
    expect((await sac(dataDir, 'status')).output).toContain('not running');
    const { code, output } = await sac(dataDir, 'start');
    expect(code, output).toBe(0);
    expect(await isReady(urlIn(output))).toBe(true);
    expect(databasePid(dataDir)).toBe(database);
    expect(modelPid(dataDir)).toBe(model);
    await kill(model);
    await until(() => modelPid(dataDir) !== model && identityOf(modelPid(dataDir)) !== null);
  });

  it('does not take another process with the pid of a dead one for itself', async () => {
    expect(await sac(dataDir, 'stop')).toMatchObject({ code: 0 });
    const stranger = identityOf(process.pid);
    writeFileSync(
      join(dataDir, 'sac.lock'),
      JSON.stringify({ ...stranger, startTicks: '1', url: 'http://x', version: '0' }),
    );
    writeFileSync(join(dataDir, 'postgres/postmaster.pid'), `${process.pid}\n${dataDir}/postgres\n1\n5432\n\n\n`);
    const { code, output } = await sac(dataDir, 'start');
    expect(code, output).toBe(0);
    expect(keys()).toEqual(keysAtFirst);
  });

  it('ends everything on stop, also what a killed server left behind', async () => {
    const [database, model] = [databasePid(dataDir), modelPid(dataDir)];
    await kill(lockedPid(dataDir));
    expect(await sac(dataDir, 'stop')).toMatchObject({ code: 0 });
    expect([identityOf(database), identityOf(model)]).toEqual([null, null]);
    expect(readdirSync(join(dataDir, 'run')).filter((name) => name.startsWith('ws-proxy-'))).toEqual([]);
    expect((await sac(dataDir, 'stop')).output).toContain('was not running');
  });

  it('refuses to make a new master key for old secrets', async () => {
    rmSync(join(dataDir, 'secrets/master.key'));
    const { code, output } = await sac(dataDir, 'start');
    expect(code).toBe(1);
    expect(output).toMatch(/master\.key is missing.*\n.*Restore/);
  });
});

describe('a machine that is not ready for it', { timeout: TIMEOUT_MS }, () => {
  it('names who has the port', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const address = server.address();
    const port = typeof address === 'object' ? String(address?.port) : '';
    const { code, output } = await execute(process.execPath, [bundle, 'start'], environment(newDataDir(), port));
    server.close();
    expect(code).toBe(1);
    expect(output).toMatch(new RegExp(`Port ${port} on 127\\.0\\.0\\.1 is taken by .*\\(pid ${process.pid}\\)`));
    expect(output).toContain('make start SAC_PORT=');
  });

  it('says what is wrong with the settings, all at once', async () => {
    const env = { ...environment(newDataDir()), SAC_DEMO: 'maybe', SAC_PROT: '80' };
    const { code, output } = await execute(process.execPath, [bundle, 'start'], env);
    expect(code).toBe(1);
    expect(output).toMatch(/SAC_DEMO must be 0 or 1/);
    expect(output).toMatch(/SAC_PROT is not a setting/);
  });

  it('heals a first start that was killed half way', async () => {
    const dataDir = newDataDir();
    const first = spawn(process.execPath, [bundle, 'run'], { env: environment(dataDir), stdio: 'ignore' });
    await until(() => existsSync(dataDir) && readdirSync(dataDir).some((name) => name.startsWith('postgres.new-')));
    first.kill('SIGKILL');
    await once(first, 'exit');
    expect(existsSync(join(dataDir, 'postgres'))).toBe(false);
    const { code, output } = await sac(dataDir, 'start');
    expect(code, output).toBe(0);
    expect(readdirSync(dataDir).filter((name) => name.startsWith('postgres.'))).toEqual([]);
  });

  it('says that it may not write', async () => {
    const dataDir = newDataDir();
    mkdirSync(dataDir);
    // Root may write anywhere but on a read-only mount.
    const args = ['--dev-bind', '/', '/', '--ro-bind', dataDir, dataDir, process.execPath, bundle, 'start'];
    const { code, output } = await execute('bwrap', args, environment(dataDir));
    expect(code).toBe(1);
    expect(output).toMatch(/cannot be written \(EROFS\)/);
    expect(output).toContain('SAC_DATA_DIR');
  });

  it('says that a file is in the way', async () => {
    const dataDir = newDataDir();
    writeFileSync(dataDir, '');
    expect((await sac(dataDir, 'start')).output).toMatch(/is in the way: a file is where a folder is needed/);
    rmSync(dataDir);
  });

  it('says that the disk is full', async () => {
    const dataDir = newDataDir();
    mkdirSync(dataDir);
    const args = [
      '--dev-bind',
      '/',
      '/',
      '--size',
      String(60 * 1024 * 1024),
      '--tmpfs',
      dataDir,
      process.execPath,
      bundle,
      'start',
    ];
    const { code, output } = await execute('bwrap', args, environment(dataDir));
    expect(code).toBe(1);
    expect(output).toMatch(/is full: \d\d MB are free, 200 MB are needed/);
  });

  it('refuses the data of a newer version', async () => {
    const dataDir = newDataDir();
    mkdirSync(dataDir, { mode: 0o700 });
    writeFileSync(join(dataDir, 'format.json'), JSON.stringify({ format: 99, createdBy: '9.9.9' }));
    const { code, output } = await sac(dataDir, 'start');
    expect(code).toBe(1);
    expect(output).toMatch(/made by a newer version \(9\.9\.9/);
  });

  it('keeps sockets short when the path of the data is long', async () => {
    const dataDir = join(newDataDir(), 'x'.repeat(80));
    mkdirSync(dataDir, { recursive: true });
    chmodSync(dataDir, 0o755);
    const { code, output } = await sac(dataDir, 'start');
    expect(code, output).toBe(0);
    expect(statSync(dataDir).mode & 0o077).toBe(0);
    expect(await sac(dataDir, 'stop')).toMatchObject({ code: 0 });
  });
});
