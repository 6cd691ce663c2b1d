import { execFile, type ExecFileException } from 'node:child_process';
import { mkdir, mkdtemp, rm, symlink } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { testCliDir } from '../../backend/test/test-clis.ts';

const repositoryDir = fileURLToPath(new URL('../..', import.meta.url));
const sacBundle = path.join(repositoryDir, 'backend/dist/sac.js');
const COMMAND_TIMEOUT_MS = 180_000;

/** One installation of its own: data directory, port, processes. Everything goes through the real command line. */
export interface Installation {
  readonly origin: string;
  readonly dataDir: string;
  /** Starts it, or finds it running; answers with what the command printed. */
  start(): Promise<string>;
  stop(): Promise<string>;
  run(...args: string[]): Promise<string>;
  /** Ends everything and deletes the data. */
  destroy(): Promise<void>;
}

export interface InstallationOptions {
  readonly demo?: boolean;
  /** Makes the data directory a disk of its own, of this size; only root may. */
  readonly diskBytes?: number;
  /** Data that are there already; deleted with the installation like its own. */
  readonly dataDir?: string;
  readonly env?: Readonly<Record<string, string>>;
}

/** An installation has the settings that its test gives it: not those of tests, which it refuses, nor those of whoever runs them. */
const withoutOurs = (environment: NodeJS.ProcessEnv): NodeJS.ProcessEnv =>
  Object.fromEntries(Object.entries(environment).filter(([name]) => !name.startsWith('SAC_')));

async function makeDataDir(diskBytes: number | undefined): Promise<string> {
  const dataDir = await mkdtemp(path.join(tmpdir(), 'sac-e2e-'));
  if (diskBytes !== undefined) await run('mount', ['-t', 'tmpfs', '-o', `size=${diskBytes},mode=0700`, 'sac', dataDir]);
  await mkdir(testCliDir, { recursive: true });
  await symlink(testCliDir, path.join(dataDir, 'clis'));
  return dataDir;
}

export async function createInstallation(options: InstallationOptions = {}): Promise<Installation> {
  const { demo = true, diskBytes, env = {} } = options;
  const dataDir = options.dataDir ?? (await makeDataDir(diskBytes));
  const port = await freePort();
  const environment = {
    ...withoutOurs(process.env),
    SAC_DATA_DIR: dataDir,
    SAC_PORT: String(port),
    ...(demo ? { SAC_DEMO: '1' } : {}),
    ...env,
  };
  const sac = (...args: string[]): Promise<string> => run(process.execPath, [sacBundle, ...args], environment);
  return {
    origin: `http://127.0.0.1:${port}`,
    dataDir,
    start: () => sac('start'),
    stop: () => sac('stop'),
    run: sac,
    destroy: async () => {
      await sac('stop').catch(() => undefined);
      if (diskBytes !== undefined) await run('umount', ['--lazy', dataDir]);
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}

function run(program: string, args: readonly string[], env: NodeJS.ProcessEnv = process.env): Promise<string> {
  return new Promise((resolve, reject) => {
    const done = (error: ExecFileException | null, stdout: string, stderr: string): void => {
      if (error) reject(new Error(`${args.join(' ')} ended with ${String(error.code)}:\n${stdout}${stderr}`));
      else resolve(stdout + stderr);
    };
    execFile(program, args, { env, timeout: COMMAND_TIMEOUT_MS, maxBuffer: 1 << 24 }, done);
  });
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** The single-use link in the output of `start` or `admin-link`. */
export function linkIn(output: string): string {
  const link = /https?:\/\/\S+\/welcome#[A-Za-z0-9_-]+/.exec(output)?.[0];
  if (link === undefined) throw new Error(`no single-use link in:\n${output}`);
  return link;
}
