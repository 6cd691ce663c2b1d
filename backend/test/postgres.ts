import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { ensureCluster, SUPERUSER } from '../src/local-machine/postgres/cluster.ts';
import { choosePostgresHost, type PostgresHost } from '../src/local-machine/postgres/host.ts';

const START_TIMEOUT_MS = 30_000;

export interface TestPostgres {
  /** Superuser URL of one database of this server. */
  urlOf(database: string): string;
  /** SIGKILL, as a crash would; data stay. */
  kill(): Promise<void>;
  start(): Promise<void>;
  /** Ends the server and deletes its files. */
  remove(): Promise<void>;
}

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

/** Unlike the product's server this one ends with who started it, and all its processes at once. */
const spawnServer = (host: PostgresHost, settings: readonly string[]): ChildProcess => {
  const flags = settings.flatMap((setting) => ['-c', setting]);
  const { file, args } = host.command(host.programs.postgres, ['-D', host.clusterDir, '-k', host.socketDir, ...flags]);
  const bound = ['--die-with-parent', '--unshare-pid', '--proc', '/proc'];
  const all = host.mode === 'namespace' ? args.toSpliced(args.indexOf('--'), 0, ...bound) : args;
  return spawn(file, all, { ...host.account, stdio: ['ignore', 'ignore', 'pipe'] });
};

const firstChildOf = (pid: number): number | null => {
  const [first] = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ');
  return first === undefined || first === '' ? null : Number(first);
};

/** A real PostgreSQL of its own, as the product makes it, in a private directory (or one that exists already), without fsync. */
export const startTestPostgres = async (directory = mkdtempSync(join(tmpdir(), 'sac-pg-'))): Promise<TestPostgres> => {
  const host = choosePostgresHost(directory, join(directory, 'run'));
  await ensureCluster(host);
  const urlOf = (database: string) =>
    `postgresql:///${database}?host=${encodeURIComponent(host.socketDir)}&user=${SUPERUSER}`;
  let child: ChildProcess | null = null;

  const start = async (): Promise<void> => {
    let log = '';
    // synchronous_commit stays on: a test that kills the server expects to find what was committed.
    child = spawnServer(host, [
      'listen_addresses=',
      'fsync=off',
      'full_page_writes=off',
      'max_connections=200',
      'shared_buffers=32MB',
    ]);
    child.stderr?.on('data', (chunk: Buffer) => (log = (log + chunk.toString()).slice(-4_000)));
    await waitUntilReady(urlOf('postgres'), child, () => log);
  };

  const kill = async (): Promise<void> => {
    if (child === null || child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, 'exit');
    const namespaceInit = host.mode === 'namespace' ? firstChildOf(child.pid ?? 0) : null;
    // The first process of a PID namespace is gone only when all others in it are, and bwrap waits for it. Killing
    // bwrap itself would return while backends still answer.
    if (namespaceInit === null) child.kill('SIGKILL');
    else process.kill(namespaceInit, 'SIGKILL');
    await exited;
    child = null;
  };

  const remove = async (): Promise<void> => {
    await kill();
    // An account of its own has its files where it can come to them.
    const folders = host.mode === 'account' ? [directory, join(host.clusterDir, '../..')] : [directory];
    for (const folder of folders) rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  };

  await start();
  return { urlOf, kill, start, remove };
};
