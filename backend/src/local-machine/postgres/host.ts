import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  chownSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
} from 'node:fs';
import { join } from 'node:path';
import { MachineFault } from '../fault.ts';
import { makePrivateDir } from '../layout.ts';
import { createPrivateFile } from '../private-file.ts';
import { findPrograms, type PostgresPrograms, programsIn } from './programs.ts';

/**
 * PostgreSQL refuses to run as root. `plain`: we are not root. `namespace`: as root, inside a user namespace in
 * which root is called 1000. `account`: as root where namespaces are forbidden, as an account of its own with a
 * folder that account can reach.
 */
export type HostMode = 'plain' | 'namespace' | 'account';

export interface PostgresHost {
  readonly mode: HostMode;
  readonly programs: PostgresPrograms;
  readonly clusterDir: string;
  readonly socketDir: string;
  /** What to execute so that `program` runs as somebody PostgreSQL accepts. */
  command(program: string, args: readonly string[]): { readonly file: string; readonly args: readonly string[] };
  /** Goes into the options of spawn. */
  readonly account: { readonly uid?: number; readonly gid?: number };
}

const ACCOUNT_NAME = 'sac-postgres';
const INNER_ID = '1000';
const namespaceArgs = ['--dev-bind', '/', '/', '--unshare-user', '--uid', INNER_ID, '--gid', INNER_ID, '--'];

const canUseNamespace = (): boolean => spawnSync('bwrap', [...namespaceArgs, 'true'], { stdio: 'ignore' }).status === 0;

const plainHost = (dataDir: string, runDir: string): PostgresHost => ({
  mode: 'plain',
  programs: findPrograms(),
  clusterDir: join(dataDir, 'postgres'),
  socketDir: join(runDir, 'postgres'),
  command: (file, args) => ({ file, args }),
  account: {},
});

const namespaceHost = (dataDir: string, runDir: string): PostgresHost => ({
  ...plainHost(dataDir, runDir),
  mode: 'namespace',
  command: (program, args) => ({ file: 'bwrap', args: [...namespaceArgs, program, ...args] }),
});

const idOf = (flag: '-u' | '-g'): number | null => {
  const result = spawnSync('id', [flag, ACCOUNT_NAME], { encoding: 'utf8' });
  return result.status === 0 ? Number(result.stdout.trim()) : null;
};

const ensureAccount = (): { uid: number; gid: number } => {
  if (idOf('-u') === null) {
    spawnSync('useradd', ['--system', '--no-create-home', '--shell', '/usr/sbin/nologin', ACCOUNT_NAME], {
      stdio: 'ignore',
    });
  }
  const uid = idOf('-u');
  const gid = idOf('-g');
  if (uid === null || gid === null) {
    throw new MachineFault(
      'PostgreSQL does not run as root, and neither a user namespace nor an account of its own can be made here.',
      'Run this as an ordinary user, install bubblewrap (apt-get install bubblewrap), or create the account: useradd --system sac-postgres',
    );
  }
  return { uid, gid };
};

/** Our umask keeps everything private; these are programs anybody may read and run. */
const makeReadable = (dir: string): void => {
  chmodSync(dir, 0o755);
  for (const entry of readdirSync(dir, { recursive: true, withFileTypes: true })) {
    if (entry.isDirectory() || entry.isFile()) chmodSync(join(entry.parentPath, entry.name), 0o755);
  }
};

/** The checkout may lie below a folder the account cannot enter (/root), so it gets a copy of the programs. */
const copyPrograms = (source: PostgresPrograms, baseDir: string): PostgresPrograms => {
  const target = join(baseDir, `postgresql-${source.version}`);
  if (!existsSync(target)) {
    const temporary = `${target}.tmp`;
    rmSync(temporary, { recursive: true, force: true }); // of a start that was killed; we hold the lock
    cpSync(source.nativeDir, temporary, { recursive: true, verbatimSymlinks: true });
    makeReadable(temporary);
    renameSync(temporary, target);
  }
  return programsIn(target, source.version);
};

const accountHost = (dataDir: string): PostgresHost => {
  const account = ensureAccount();
  const digest = createHash('sha256').update(dataDir).digest('hex').slice(0, 12);
  const baseDir = `/var/lib/sac-${digest}`;
  mkdirSync(baseDir, { recursive: true, mode: 0o711 });
  chmodSync(baseDir, 0o711);
  const owned = join(baseDir, 'postgres');
  makePrivateDir(baseDir);
  chmodSync(baseDir, 0o711); // the account passes through; only root lists
  mkdirSync(owned, { recursive: true, mode: 0o700 });
  chownSync(owned, account.uid, account.gid);
  return {
    mode: 'account',
    programs: copyPrograms(findPrograms(), baseDir),
    clusterDir: join(owned, 'cluster'),
    socketDir: join(owned, 'socket'),
    command: (file, args) => ({ file, args }),
    account,
  };
};

const chooseMode = (): HostMode => {
  if (process.getuid?.() !== 0) return 'plain';
  return canUseNamespace() ? 'namespace' : 'account';
};

const isMode = (value: unknown): value is HostMode => value === 'plain' || value === 'namespace' || value === 'account';

/** Files belong to somebody else in each mode, so the first choice stays. */
const rememberMode = (dataDir: string): HostMode => {
  const path = join(dataDir, 'postgres-host.json');
  if (!existsSync(path)) createPrivateFile(path, `${JSON.stringify({ mode: chooseMode() })}\n`);
  const { mode } = JSON.parse(readFileSync(path, 'utf8')) as { mode?: unknown };
  if (!isMode(mode)) throw new MachineFault(`${path} is damaged.`, 'Restore it from a backup.');
  return mode;
};

/** Decides how PostgreSQL runs on this machine, once and for all for a data directory. Throws `MachineFault`. */
export const choosePostgresHost = (dataDir: string, runDir: string): PostgresHost => {
  const mode = rememberMode(dataDir);
  const isRoot = process.getuid?.() === 0;
  if (isRoot !== (mode !== 'plain')) {
    throw new MachineFault(
      `${dataDir} was made by ${mode === 'plain' ? 'an ordinary user' : 'root'}, and this runs as ${isRoot ? 'root' : 'an ordinary user'}.`,
      'Start it as the same user as before, or set SAC_DATA_DIR to another folder.',
    );
  }
  if (mode === 'namespace' && !canUseNamespace()) {
    throw new MachineFault(
      'PostgreSQL ran in a user namespace here, and bubblewrap (bwrap) cannot make one any more.',
      'Install bubblewrap (apt-get install bubblewrap) and allow user namespaces (sysctl kernel.unprivileged_userns_clone=1).',
    );
  }
  const host = { plain: plainHost, namespace: namespaceHost, account: accountHost }[mode](dataDir, runDir);
  if (mode !== 'account') makePrivateDir(host.socketDir);
  else {
    mkdirSync(host.socketDir, { recursive: true, mode: 0o700 });
    chownSync(host.socketDir, host.account.uid ?? 0, host.account.gid ?? 0);
  }
  return host;
};
