/**
 * Watch mode: bundles are rebuilt on change and the server restarted (agents and their terminals go on), and Vite
 * serves the frontend with hot reload on port 5173. Ends everything on Ctrl+C.
 *
 * node scripts/dev.ts [--host 0.0.0.0] [--cluster namespace]
 *
 * With a cluster, agents run there and everything else here: api-gateway and ws-proxy as processes of their own, and a database.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { context, type Plugin } from 'esbuild';
import { lazyHttp, root, serverOptions } from './bundles.ts';
import { prepareDevCluster, WS_PORT, type DevCluster } from './dev-cluster.ts';

const VITE_PORT = 5173;
const API_PORT = Number(process.env['SAC_PORT'] || 8080);
const { values } = parseArgs({
  options: { host: { type: 'string', default: '127.0.0.1' }, cluster: { type: 'string' } },
});

const publicUrls = (): string => {
  const hosts = ['127.0.0.1', 'localhost'];
  if (values.host === '0.0.0.0') {
    for (const entry of Object.values(networkInterfaces()).flat()) {
      if (entry !== undefined && !entry.internal && entry.family === 'IPv4') hosts.push(entry.address);
    }
  } else if (!hosts.includes(values.host)) hosts.push(values.host);
  return [VITE_PORT, API_PORT, ...(values.cluster === undefined ? [] : [WS_PORT])]
    .flatMap((port) => hosts.map((host) => `http://${host}:${port}`))
    .join(',');
};

const bundle = (name: string): string => join(root, `backend/dist/${name}.js`);

interface Program {
  readonly args: readonly string[];
  readonly env: NodeJS.ProcessEnv;
}

/** Runs the newest bundles; a rebuild ends the old processes, which leave agents and database for the new ones. */
class Server {
  readonly #programs: readonly Program[];
  /** Sent to the old processes after a rebuild. */
  readonly #replaceWith: NodeJS.Signals;
  #children: ChildProcess[] = [];
  #work: Promise<void> = Promise.resolve();

  constructor(programs: readonly Program[], replaceWith: NodeJS.Signals) {
    this.#programs = programs;
    this.#replaceWith = replaceWith;
  }

  /** `prepare` runs while no process does. */
  replace(prepare: () => void): Promise<void> {
    this.#work = this.#work.then(async () => {
      await this.#end(this.#replaceWith);
      prepare();
      this.#children = this.#programs.map(({ args, env }) =>
        spawn(process.execPath, args, {
          env,
          stdio: ['ignore', 'inherit', 'inherit'],
          detached: true, // Ctrl+C is for us to pass on
        }),
      );
    });
    return this.#work;
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const running = this.#children.filter((child) => child.exitCode === null && child.signalCode === null);
    await Promise.all(
      running.map(async (child) => {
        const exited = once(child, 'exit');
        child.kill(signal);
        await exited;
      }),
    );
  }

  stop(signal: NodeJS.Signals): Promise<void> {
    return this.#work.then(() => this.#end(signal));
  }
}

/** Runs a bundle to its end; what it says is for whoever watches. */
const runOnce = (name: string, env: NodeJS.ProcessEnv): void => {
  spawnSync(process.execPath, [bundle(name)], { env, stdio: ['ignore', 'inherit', 'inherit'], timeout: 120_000 });
};

const origins = { SAC_PUBLIC_URL: process.env['SAC_PUBLIC_URL'] || publicUrls() };
const prepared = (namespace: string): Promise<DevCluster> =>
  prepareDevCluster(namespace).catch((error: unknown) => {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
    process.exit(1);
  });
const cluster = values.cluster === undefined ? null : await prepared(values.cluster);
const env = cluster === null ? { ...process.env, ...origins } : { ...cluster.env, ...origins };
const server =
  cluster === null
    ? new Server([{ args: [bundle('sac'), 'run'], env }], 'SIGHUP')
    : // Nobody waits for the long goodbye that a cluster needs, and both are made to die at any moment.
      new Server(
        ['api-gateway', 'ws-proxy'].map((name) => ({ args: [bundle(name)], env })),
        'SIGKILL',
      );
let isFirst = true;
const prepare = (): void => {
  if (cluster === null) return;
  runOnce('migrate', env);
  if (isFirst) {
    process.stdout.write('An administrator is made at:\n');
    runOnce('admin-link', env);
  }
  isFirst = false;
};

const restartAfterBuild: Plugin = {
  name: 'restart',
  setup(build) {
    build.onEnd(async (result) => {
      if (result.errors.length === 0) await server.replace(prepare);
    });
  },
};

const sandbox = await context(serverOptions('sandbox'));
await sandbox.rebuild();
await sandbox.watch();
const backend = await context({ ...serverOptions('backend'), plugins: [lazyHttp, restartAfterBuild] });
await backend.watch();

const vite = spawn(process.execPath, [join(root, 'node_modules/vite/bin/vite.js'), 'frontend'], {
  cwd: root,
  env: { ...process.env, SAC_DEV_HOST: values.host, ...(cluster && { SAC_DEV_WS_PORT: String(WS_PORT) }) },
  stdio: ['ignore', 'inherit', 'inherit'],
  detached: true,
});

const stop = async (): Promise<void> => {
  process.removeAllListeners('SIGINT');
  vite.kill('SIGTERM');
  await Promise.all([backend.dispose(), sandbox.dispose()]);
  await server.stop(cluster === null ? 'SIGTERM' : 'SIGKILL');
  await cluster?.close();
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
