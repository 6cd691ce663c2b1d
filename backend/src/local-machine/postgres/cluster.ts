import { spawn } from 'node:child_process';
import { chownSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { explainFileError, MachineFault } from '../fault.ts';
import { writePrivateFile } from '../private-file.ts';
import { identityOf, isAlive, parseIdentity, type ProcessIdentity, waitUntilGone } from '../process-identity.ts';
import type { PostgresHost } from './host.ts';

const INITDB_TIMEOUT_MS = 120_000;
const ORPHAN_END_MS = 5_000;
const OUTPUT_LIMIT_BYTES = 8_192;
export const SUPERUSER = 'sac';

export const clusterExists = (host: PostgresHost): boolean => existsSync(join(host.clusterDir, 'PG_VERSION'));

interface Command {
  readonly program: string;
  readonly args: readonly string[];
  /** Remembers the process, so that a later start can end it when this one is killed. */
  readonly pidFile: string;
}

const runToEnd = (
  host: PostgresHost,
  { program, args, pidFile }: Command,
): Promise<{ code: number | null; output: string }> =>
  new Promise((resolve, reject) => {
    const { file, args: allArgs } = host.command(program, args);
    // initdb calls its neighbours by name: the environment is built from scratch so that no PG* variable leaks in.
    const child = spawn(file, allArgs, {
      ...host.account,
      env: { PATH: '/usr/bin:/bin', LC_ALL: 'C' },
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true, // a process group of its own, so that all of it can be ended at once
      timeout: INITDB_TIMEOUT_MS,
      killSignal: 'SIGKILL',
    });
    const identity = child.pid === undefined ? null : identityOf(child.pid);
    if (identity !== null) writePrivateFile(pidFile, JSON.stringify(identity));
    let output = '';
    const collect = (chunk: Buffer): void => {
      output = (output + chunk.toString()).slice(-OUTPUT_LIMIT_BYTES);
    };
    child.stdout.on('data', collect);
    child.stderr.on('data', collect);
    child.on('error', reject);
    child.on('close', (code) => resolve({ code, output }));
  });

const initialise = async (host: PostgresHost, directory: string): Promise<void> => {
  const { code, output } = await runToEnd(host, {
    program: host.programs.initdb,
    pidFile: `${directory}.json`,
    args: [
      `--pgdata=${directory}`,
      `--username=${SUPERUSER}`,
      // Who can reach the socket can read the files as well: the folder's mode is the access control.
      '--auth=trust',
      '--encoding=UTF8',
      '--locale-provider=builtin',
      '--builtin-locale=C.UTF-8',
      '--no-instructions',
    ],
  });
  if (code === 0) return;
  if (/No space left on device|Disk quota exceeded/i.test(output)) {
    throw explainFileError(Object.assign(new Error(output), { code: 'ENOSPC' }), host.clusterDir);
  }
  throw new MachineFault(
    `PostgreSQL could not create its files in ${directory}:\n${output.trim()}`,
    'Fix the cause named above and start again.',
  );
};

/** initdb goes on after the process that started it was killed, and would write into what is being removed. */
const endOrphan = async (pidFile: string): Promise<void> => {
  let identity: ProcessIdentity | null;
  try {
    identity = parseIdentity(JSON.parse(readFileSync(pidFile, 'utf8')));
  } catch {
    return; // not begun, or cut off while writing
  }
  if (identity === null || !isAlive(identity)) return;
  process.kill(-identity.pid, 'SIGKILL');
  await waitUntilGone(identity, ORPHAN_END_MS);
};

/** What a first start that was killed left behind. */
const removeLeftovers = async (parent: string, prefix: string): Promise<void> => {
  const names = readdirSync(parent).filter((name) => name.startsWith(prefix));
  for (const name of names.filter((entry) => entry.endsWith('.json'))) await endOrphan(join(parent, name));
  for (const name of names)
    rmSync(join(parent, name), { recursive: true, force: true, maxRetries: 10, retryDelay: 50 });
};

/**
 * Makes the database files if there are none. They are made in a folder beside and renamed when complete, so a
 * first start that is killed leaves nothing half-done behind. The caller holds the data directory's lock.
 */
export const ensureCluster = async (host: PostgresHost): Promise<void> => {
  const parent = dirname(host.clusterDir);
  const prefix = `${basename(host.clusterDir)}.new-`;
  await removeLeftovers(parent, prefix);
  if (!clusterExists(host)) {
    if (existsSync(host.clusterDir) && readdirSync(host.clusterDir).length > 0) {
      throw new MachineFault(
        `${host.clusterDir} is not empty and holds no database.`,
        'Move it away, restore it from a backup, or set SAC_DATA_DIR to another folder.',
      );
    }
    const temporary = join(parent, `${prefix}${process.pid}`);
    mkdirSync(temporary, { mode: 0o700 });
    if (host.account.uid !== undefined) chownSync(temporary, host.account.uid, host.account.gid ?? host.account.uid);
    try {
      await initialise(host, temporary);
      renameSync(temporary, host.clusterDir); // replaces an empty folder
    } finally {
      await removeLeftovers(parent, prefix);
    }
  }
  const major = Number(readFileSync(join(host.clusterDir, 'PG_VERSION'), 'utf8').trim());
  if (major !== host.programs.majorVersion) {
    throw new MachineFault(
      `The database in ${host.clusterDir} was made by PostgreSQL ${major}; this version brings ${host.programs.majorVersion}.`,
      major > host.programs.majorVersion
        ? 'Start the newer version that made it.'
        : 'Dump it with the version that made it (pg_dump), and load the dump into a fresh data directory.',
    );
  }
};
