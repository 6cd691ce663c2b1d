import { existsSync } from 'node:fs';
import { homedir, networkInterfaces } from 'node:os';
import { delimiter, join } from 'node:path';
import process from 'node:process';
import { parseArgs } from 'node:util';
import { createLogger } from '../app/logging.ts';
import { type Config, ConfigError, loadConfig } from '../config/config.ts';
import { findInstallation, type Installation } from '../config/installation.ts';
import * as commands from '../local-machine/commands.ts';
import type { DaemonMessage } from '../local-machine/daemon.ts';
import { MachineFault } from '../local-machine/fault.ts';
import { layoutOf } from '../local-machine/layout.ts';
import { reservePort } from '../local-machine/port.ts';
import { runMachine } from '../local-machine/run.ts';
import type { RuntimeFactory } from '../local-machine/runtime-factory.ts';
import { CliCatalog } from '../runtimes/local/cli-catalog.ts';
import { createLocalRuntime } from '../runtimes/local/local-runtime.ts';

const USAGE = `Usage: sac <command>

  start               start in the background, wait until ready, print the address
  run                 start in the foreground (for service managers); ends on SIGTERM
  stop                end everything: server, agents, database
  status              what runs
  restart [api|ws|db] restart one part; agents go on
  logs [api|ws|db|demo] [--follow]
  admin-link          print a single-use link that creates an admin

Settings are SAC_… environment variables; see the README.`;

/** Node options of the server: a small young generation keeps an idle server small, and requests here are small. */
const SERVER_NODE_ARGS = ['--max-semi-space-size=2'];

/** Link-local addresses need a zone and work in no browser's address bar. */
const interfaceAddresses = (): string[] =>
  Object.values(networkInterfaces()).flatMap((entries) =>
    (entries ?? [])
      .filter((entry) => !entry.internal && !entry.address.startsWith('fe80:'))
      .map((entry) => entry.address),
  );

const readConfig = (installation: Installation, env: NodeJS.ProcessEnv): Config =>
  loadConfig(env, {
    version: installation.version,
    homeDir: homedir(),
    interfaceAddresses: interfaceAddresses(),
  });

/** Installing a CLI needs the machine's way to the package registry, and nothing else of our environment. */
const INSTALL_VARIABLES =
  /^(PATH|HOME|TMPDIR|npm_config_.*|https?_proxy|no_proxy|all_proxy|NODE_EXTRA_CA_CERTS|SSL_CERT_.*)$/i;

const installEnvironment = (): Record<string, string> =>
  Object.fromEntries(
    Object.entries(process.env).flatMap(([name, value]) =>
      value !== undefined && INSTALL_VARIABLES.test(name) ? [[name, value]] : [],
    ),
  );

const findOnPath = (program: string): string => {
  const folders = (process.env['PATH'] ?? '').split(delimiter).filter((folder) => folder !== '');
  const found = folders.map((folder) => join(folder, program)).find((path) => existsSync(path));
  if (found === undefined)
    throw new MachineFault(`There is no ${program} on the PATH.`, 'Start with "make start", which brings it.');
  return found;
};

const runtimeFactory =
  (installation: Installation): RuntimeFactory =>
  ({ layout, logger }) => {
    const clis = new CliCatalog({
      dir: join(layout.dataDir, 'clis'),
      nodePath: process.execPath,
      npmPath: findOnPath('npm'),
      env: installEnvironment(),
      logger,
    });
    const runtime = createLocalRuntime({
      dataDir: layout.dataDir,
      runDir: layout.runDir,
      internalSocketPath: layout.internalSocket,
      sandboxDist: installation.sandboxDist,
      catalog: clis,
      logger,
    });
    return { runtime, clis };
  };

/** The server itself. As a child of `sac start` it reports over IPC; in the foreground it prints. */
const run = async (installation: Installation): Promise<void> => {
  const report = (message: DaemonMessage): void => {
    // The command that started us may have been interrupted; then nobody listens, and that is all right.
    if (process.send !== undefined) process.send(message, undefined, undefined, () => undefined);
    else if (message.type !== 'ready') process.stderr.write(`${message.text}\n`);
    else process.stdout.write(`${message.welcome.adminLink ?? message.welcome.url}\n`);
  };
  try {
    const wished = readConfig(installation, process.env);
    // Port 0 takes any free one; links and origins have to name it.
    const config =
      wished.listen.port === 0
        ? readConfig(installation, { ...process.env, SAC_PORT: String(await reservePort(wished.listen.host, 0)) })
        : wished;
    const machine = await runMachine({
      config,
      installation,
      layout: layoutOf(config.dataDir),
      env: process.env,
      logger: createLogger({ level: config.logLevel, name: 'sac' }),
      createRuntime: runtimeFactory(installation),
      onProgress: (text) => report({ type: 'progress', text }),
    });
    process.on('SIGTERM', () => void machine.stop({ keep: false }));
    process.on('SIGINT', () => void machine.stop({ keep: false }));
    process.on('SIGHUP', () => void machine.stop({ keep: true }));
    report({ type: 'ready', welcome: await machine.welcome() });
    process.channel?.unref(); // the command that started us closes it
    await machine.ended;
    process.exit(0); // whatever a library still holds open
  } catch (error) {
    report({ type: 'failed', text: describe(error) });
    if (!(error instanceof MachineFault || error instanceof ConfigError))
      process.stderr.write(`${String(error instanceof Error ? error.stack : error)}\n`);
    process.exit(1);
  }
};

const describe = (error: unknown): string => (error instanceof Error ? error.message : String(error));

const restartTarget = (name: string | undefined): 'api' | 'ws' | 'db' => {
  if (name === undefined || name === 'api') return 'api';
  if (name === 'ws' || name === 'db') return name;
  throw new MachineFault(`There is no part "${name}" to restart.`, 'There are api, ws and db.');
};

const logTarget = (name = 'api'): string => {
  if (commands.logServices.includes(name)) return name;
  throw new MachineFault(`There is no log of "${name}".`, `There are ${commands.logServices.join(', ')}.`);
};

const runCommand = async (
  installation: Installation,
  command: string,
  options: { target: string | undefined; follow: boolean },
): Promise<void> => {
  const config = readConfig(installation, process.env);
  const context: commands.CommandContext = {
    config,
    installation,
    layout: layoutOf(config.dataDir),
    env: process.env,
    logger: createLogger({ level: 'warn', name: 'sac' }),
    createRuntime: runtimeFactory(installation),
    nodeArgs: SERVER_NODE_ARGS,
    print: (line) => process.stdout.write(`${line}\n`),
    progress: (line) => process.stderr.write(`${line}\n`),
  };
  switch (command) {
    case 'start':
      return commands.start(context);
    case 'stop':
      return commands.stop(context);
    case 'status':
      return commands.status(context);
    case 'restart':
      return commands.restart(context, restartTarget(options.target));
    case 'logs':
      return commands.logs(context, { service: logTarget(options.target), follow: options.follow });
    case 'admin-link':
      return commands.adminLink(context);
    default:
      throw new MachineFault(`There is no command "${command}".`, USAGE);
  }
};

const main = async (): Promise<void> => {
  process.umask(0o077);
  const installation = findInstallation();
  const { positionals, values } = parseArgs({
    allowPositionals: true,
    options: { follow: { type: 'boolean', short: 'f', default: false } },
  });
  const [command, target] = positionals;
  if (process.platform !== 'linux')
    throw new MachineFault('SAC runs on Linux.', 'On other systems, run it in a Linux virtual machine or container.');
  if (command === undefined) process.stdout.write(`${USAGE}\n`);
  else if (command === 'run') await run(installation);
  else await runCommand(installation, command, { target, follow: values.follow });
};

try {
  await main();
} catch (error) {
  const known = error instanceof MachineFault || error instanceof ConfigError;
  process.stderr.write(`${known ? error.message : String(error instanceof Error ? error.stack : error)}\n`);
  process.exitCode = 1;
}
