import { execFile, type ExecFileException } from 'node:child_process';
import { mkdir, mkdtemp, rm, symlink } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { homedir, tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const repositoryDir = fileURLToPath(new URL('../..', import.meta.url));
const sacBundle = path.join(repositoryDir, 'backend/dist/sac.js');
const COMMAND_TIMEOUT_MS = 180_000;
/** Installations share the downloaded CLIs: hundreds of megabytes each, and the same pinned bytes every time. */
const sharedClis = process.env['SAC_TEST_CLI_DIR'] ?? path.join(homedir(), '.cache/sac/clis');

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
  readonly env?: Readonly<Record<string, string>>;
}

export async function createInstallation({ demo = true, env = {} }: InstallationOptions = {}): Promise<Installation> {
  const dataDir = await mkdtemp(path.join(tmpdir(), 'sac-e2e-'));
  await mkdir(sharedClis, { recursive: true });
  await symlink(sharedClis, path.join(dataDir, 'clis'));
  const port = await freePort();
  const environment = {
    ...process.env,
    SAC_DATA_DIR: dataDir,
    SAC_PORT: String(port),
    ...(demo ? { SAC_DEMO: '1' } : {}),
    ...env,
  };
  const run = (...args: string[]): Promise<string> => runSac(args, environment);
  return {
    origin: `http://127.0.0.1:${port}`,
    dataDir,
    start: () => run('start'),
    stop: () => run('stop'),
    run,
    destroy: async () => {
      await run('stop').catch(() => undefined);
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}

function runSac(args: string[], env: NodeJS.ProcessEnv): Promise<string> {
  return new Promise((resolve, reject) => {
    const done = (error: ExecFileException | null, stdout: string, stderr: string): void => {
      if (error) reject(new Error(`sac ${args.join(' ')} ended with ${String(error.code)}:\n${stdout}${stderr}`));
      else resolve(stdout + stderr);
    };
    execFile(process.execPath, [sacBundle, ...args], { env, timeout: COMMAND_TIMEOUT_MS, maxBuffer: 1 << 24 }, done);
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
