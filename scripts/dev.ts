/**
 * Watch mode: bundles are rebuilt on change and the server restarted (agents and their terminals go on), and Vite
 * serves the frontend with hot reload on port 5173. Ends everything on Ctrl+C.
 *
 * node scripts/dev.ts [--host 0.0.0.0]
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { context, type Plugin } from 'esbuild';
import { root, serverOptions } from './bundles.ts';

const VITE_PORT = 5173;
const { values } = parseArgs({ options: { host: { type: 'string', default: '127.0.0.1' } } });

const publicUrls = (): string => {
  const hosts = ['127.0.0.1', 'localhost'];
  if (values.host === '0.0.0.0') {
    for (const entry of Object.values(networkInterfaces()).flat()) {
      if (entry !== undefined && !entry.internal && entry.family === 'IPv4') hosts.push(entry.address);
    }
  } else if (!hosts.includes(values.host)) hosts.push(values.host);
  return [VITE_PORT, Number(process.env['SAC_PORT'] || 8080)]
    .flatMap((port) => hosts.map((host) => `http://${host}:${port}`))
    .join(',');
};

/** Runs the newest bundle; a rebuild ends the old process, which leaves agents and database for the new one. */
class Server {
  #child: ChildProcess | null = null;
  #work: Promise<void> = Promise.resolve();

  replace(): Promise<void> {
    this.#work = this.#work.then(async () => {
      await this.#end('SIGHUP');
      this.#child = spawn(process.execPath, [join(root, 'backend/dist/sac.js'), 'run'], {
        env: { ...process.env, SAC_PUBLIC_URL: process.env['SAC_PUBLIC_URL'] || publicUrls() },
        stdio: ['ignore', 'inherit', 'inherit'],
        detached: true, // Ctrl+C is for us to pass on
      });
    });
    return this.#work;
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#child;
    if (child === null || child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, 'exit');
    child.kill(signal);
    await exited;
  }

  stop(): Promise<void> {
    return this.#work.then(() => this.#end('SIGTERM'));
  }
}

const server = new Server();

const restartAfterBuild: Plugin = {
  name: 'restart',
  setup(build) {
    build.onEnd(async (result) => {
      if (result.errors.length === 0) await server.replace();
    });
  },
};

const sandbox = await context(serverOptions('sandbox'));
await sandbox.rebuild();
await sandbox.watch();
const backend = await context({ ...serverOptions('backend'), plugins: [restartAfterBuild] });
await backend.watch();

const vite = spawn(process.execPath, [join(root, 'node_modules/vite/bin/vite.js'), 'frontend'], {
  cwd: root,
  env: { ...process.env, SAC_DEV_HOST: values.host },
  stdio: ['ignore', 'inherit', 'inherit'],
  detached: true,
});

const stop = async (): Promise<void> => {
  process.removeAllListeners('SIGINT');
  vite.kill('SIGTERM');
  await Promise.all([backend.dispose(), sandbox.dispose()]);
  await server.stop();
  process.exit(0);
};
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => {
    stop().catch((error: unknown) => {
      process.stderr.write(`${String(error)}\n`);
      process.exit(1);
    });
  });
}
