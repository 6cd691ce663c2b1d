import { createHash } from 'node:crypto';
import { chmodSync, lstatSync, mkdirSync, readFileSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { explainFileError, MachineFault } from './fault.ts';
import { createPrivateFile } from './private-file.ts';

/** Paths of one installation's data. Everything is private to the user that runs the server. */
export interface Layout {
  readonly dataDir: string;
  /** Sockets; short enough for the 108 bytes that a unix socket address has. */
  readonly runDir: string;
  readonly logsDir: string;
  readonly secretsDir: string;
  readonly lockFile: string;
  readonly controlSocket: string;
  readonly internalSocket: string;
  readonly logFile: string;
}

/** Grows when the layout of the data directory changes in a way that older versions cannot read. */
const FORMAT = 1;
/** `/agents/<uuid>/terminal.sock` is the longest name below `runDir`. */
const LONGEST_SOCKET_SUFFIX_BYTES = 60;
const SOCKET_PATH_MAX_BYTES = 100;
/** initdb writes 40 MB, the first agent a few hundred more; with less there is no point in beginning. */
const FREE_BYTES_NEEDED = 200 * 1024 * 1024;

const runDirFor = (dataDir: string): string => {
  const natural = join(dataDir, 'run');
  if (Buffer.byteLength(natural) + LONGEST_SOCKET_SUFFIX_BYTES <= SOCKET_PATH_MAX_BYTES) return natural;
  const digest = createHash('sha256')
    .update(`${process.getuid?.() ?? 0}:${dataDir}`)
    .digest('hex')
    .slice(0, 12);
  return `/tmp/sac-${digest}`;
};

export const layoutOf = (dataDir: string): Layout => {
  const runDir = runDirFor(dataDir);
  const logsDir = join(dataDir, 'logs');
  return {
    dataDir,
    runDir,
    logsDir,
    secretsDir: join(dataDir, 'secrets'),
    lockFile: join(dataDir, 'sac.lock'),
    controlSocket: join(runDir, 'manager.sock'),
    internalSocket: join(runDir, 'internal.sock'),
    logFile: join(logsDir, 'sac.log'),
  };
};

/** A folder only we can enter. One below /tmp could have been put there by somebody else, so it is looked at. */
export const makePrivateDir = (path: string): void => {
  try {
    mkdirSync(path, { recursive: true, mode: 0o700 });
    const entry = lstatSync(path);
    if (!entry.isDirectory() || entry.uid !== process.getuid?.()) {
      throw new MachineFault(
        `${path} is not a folder of the user that runs this.`,
        'Remove it, or set SAC_DATA_DIR to another folder (a shorter path needs nothing below /tmp).',
      );
    }
    if ((entry.mode & 0o077) !== 0) chmodSync(path, 0o700);
  } catch (error) {
    throw explainFileError(error, path);
  }
};

const checkWritable = (dir: string): void => {
  const probe = join(dir, `.write-test-${process.pid}`);
  try {
    writeFileSync(probe, Buffer.alloc(4096), { mode: 0o600 });
  } catch (error) {
    throw explainFileError(error, dir);
  } finally {
    rmSync(probe, { force: true });
  }
};

const checkFreeSpace = (dir: string): void => {
  const { bavail, bsize } = statfsSync(dir);
  const freeBytes = bavail * bsize;
  if (freeBytes >= FREE_BYTES_NEEDED) return;
  const megabytes = (bytes: number): number => Math.floor(bytes / 1024 / 1024);
  throw new MachineFault(
    `The disk that holds ${dir} is full: ${megabytes(freeBytes)} MB are free, ${megabytes(FREE_BYTES_NEEDED)} MB are needed to start.`,
    'Free some space, or set SAC_DATA_DIR to a folder on another disk, and start again. Nothing was lost.',
  );
};

const checkFormat = (dataDir: string, version: string): void => {
  const path = join(dataDir, 'format.json');
  createPrivateFile(path, `${JSON.stringify({ format: FORMAT, createdBy: version })}\n`);
  let found: { format?: unknown; createdBy?: unknown };
  try {
    found = JSON.parse(readFileSync(path, 'utf8')) as typeof found;
  } catch (error) {
    throw new MachineFault(
      `${path} cannot be read.`,
      `Restore it from a backup, or write {"format":${FORMAT}} into it.`,
      {
        cause: error,
      },
    );
  }
  if (typeof found.format === 'number' && found.format <= FORMAT) return;
  throw new MachineFault(
    `${dataDir} was made by a newer version (${String(found.createdBy)}, format ${String(found.format)}; this is ${version}, format ${FORMAT}).`,
    'Start that version or a later one, or set SAC_DATA_DIR to another folder.',
  );
};

/** Makes the folders and checks that they can be worked in. Throws `MachineFault`. */
export const prepareLayout = (layout: Layout, version: string): void => {
  makePrivateDir(layout.dataDir);
  checkWritable(layout.dataDir);
  checkFreeSpace(layout.dataDir);
  for (const dir of [layout.runDir, layout.logsDir, layout.secretsDir]) makePrivateDir(dir);
  try {
    checkFormat(layout.dataDir, version);
  } catch (error) {
    throw explainFileError(error, layout.dataDir);
  }
};
