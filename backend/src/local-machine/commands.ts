import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Logger } from 'pino';
import type { Config } from '../config/config.ts';
import type { Installation } from '../config/installation.ts';
import { controlClient, type RestartableService, type Welcome } from './control.ts';
import { startDaemon } from './daemon.ts';
import { MachineFault } from './fault.ts';
import { type Layout, makePrivateDir, prepareLayout } from './layout.ts';
import { acquireLock, isHolder, lockHolder, type LockHolder } from './lock.ts';
import { stopLeftovers } from './leftovers.ts';
import { signalProcess, waitUntilGone } from './process-identity.ts';
import { withRememberedStart } from './remembered-start.ts';
import type { RuntimeFactory } from './runtime-factory.ts';

export interface CommandContext {
  readonly config: Config;
  readonly installation: Installation;
  readonly layout: Layout;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** For commands that do work themselves, not through a running server. */
  readonly logger: Logger;
  readonly createRuntime: RuntimeFactory;
  /** Options of the Node that runs the server. */
  readonly nodeArgs: readonly string[];
  readonly print: (line: string) => void;
  readonly progress: (line: string) => void;
}

/** Ending all agents takes seconds; PostgreSQL writes everything down first. */
const STOP_TIMEOUT_MS = 90_000;

const demoOffLine = (agents: number): string =>
  `${agents === 1 ? '1 agent uses' : `${agents} agents use`} the demo model, which is off; start with DEMO=1.`;

const printWelcome = ({ print, config }: CommandContext, welcome: Welcome): void => {
  if (welcome.adminLink === null) print(`SAC is ready: ${welcome.url}`);
  else {
    print('SAC is ready. Open this link to create the first admin (it works once, within 24 hours):');
    print(`  ${welcome.adminLink}`);
  }
  if (config.demo) print('Demo: agents may use the scripted demo model; it needs no key and is not a real model.');
  if (welcome.agentsWithoutDemo > 0) print(demoOffLine(welcome.agentsWithoutDemo));
};

const notRunning = (layout: Layout): MachineFault =>
  new MachineFault(`SAC is not running (data directory ${layout.dataDir}).`, 'Start it with: make start');

const requireRunning = (layout: Layout): LockHolder => {
  const holder = lockHolder(layout.lockFile);
  if (holder === null) throw notRunning(layout);
  return holder;
};

const startInBackground = async (context: CommandContext, env: CommandContext['env']): Promise<Welcome> =>
  startDaemon({
    script: join(context.installation.backendDist, 'sac.js'),
    nodeArgs: context.nodeArgs,
    env,
    logFile: context.layout.logFile,
    onProgress: context.progress,
  });

export const start = async (context: CommandContext): Promise<void> => {
  const { layout, installation, print } = context;
  const holder = lockHolder(layout.lockFile);
  if (holder !== null) {
    print(`SAC is running already (pid ${holder.pid}, version ${holder.version}): ${holder.url || 'still starting'}`);
    if (holder.url !== '') {
      const { adminLink } = await controlClient(layout.controlSocket).welcome();
      if (adminLink !== null) print(`There is no admin yet. This link creates one, once: ${adminLink}`);
    }
    print('Stop it with "make stop", or load a new build with "make restart".');
    return;
  }
  prepareLayout(layout, installation.version);
  printWelcome(context, await startInBackground(context, context.env));
};

const waitForEnd = async (holder: LockHolder): Promise<void> => {
  if (await waitUntilGone(holder, STOP_TIMEOUT_MS)) return;
  throw new MachineFault(
    `The server (pid ${holder.pid}) has not ended within ${STOP_TIMEOUT_MS / 1000} seconds.`,
    `Look into its log (make logs), or end it by force: kill -9 ${holder.pid}`,
  );
};

/** Asks the server to end; one that does not answer gets the signal that means the same. */
const askToStop = async (layout: Layout, holder: LockHolder, keep: boolean): Promise<void> => {
  try {
    await controlClient(layout.controlSocket).stop({ keep });
  } catch {
    signalProcess(holder, keep ? 'SIGHUP' : 'SIGTERM');
  }
  await waitForEnd(holder);
};

/** Ends everything, also what a server that crashed left running. */
export const stop = async (context: CommandContext): Promise<void> => {
  const { layout, print } = context;
  if (!existsSync(layout.dataDir)) throw notRunning(layout);
  const holder = lockHolder(layout.lockFile);
  if (holder !== null) await askToStop(layout, holder, false);
  const lock = acquireLock(layout.lockFile, context.installation.version);
  if (isHolder(lock))
    throw new MachineFault(`Process ${lock.pid} has started in the meantime.`, 'Run "make stop" again.');
  try {
    for (const dir of [layout.runDir, layout.logsDir]) makePrivateDir(dir);
    await stopLeftovers(context);
  } finally {
    lock.release();
  }
  print(
    holder === null ? 'SAC was not running.' : 'SAC has stopped. Your data stay; "make start" goes on where you were.',
  );
};

/** `api` loads a new build while agents and their terminals go on; `ws` and `db` are parts the server looks after. */
export const restart = async (context: CommandContext, service: 'api' | RestartableService): Promise<void> => {
  const { layout, print } = context;
  const holder = requireRunning(layout);
  if (service !== 'api') {
    await controlClient(layout.controlSocket).restart(service);
    print(service === 'ws' ? 'ws-proxy was restarted.' : 'PostgreSQL was restarted.');
    return;
  }
  await askToStop(layout, holder, true);
  printWelcome(context, await startInBackground(context, withRememberedStart(layout, context.env)));
};

export const status = async ({ layout, print }: CommandContext): Promise<void> => {
  const holder = requireRunning(layout);
  if (holder.url === '') {
    print(`SAC is starting (pid ${holder.pid}).`);
    return;
  }
  const found = await controlClient(layout.controlSocket).status();
  print(
    `SAC ${found.version}${found.demo ? ' (demo)' : ''} at ${found.url}, since ${found.startedAt}, data in ${layout.dataDir}`,
  );
  for (const part of found.parts) print(`  ${part.name.padEnd(10)} ${part.state.padEnd(12)} ${part.detail}`);
};

export const adminLink = async ({ layout, print }: CommandContext): Promise<void> => {
  requireRunning(layout);
  const link = await controlClient(layout.controlSocket).adminLink();
  print(`This link creates an admin, once, until ${link.expiresAt}. Earlier links no longer work.`);
  print(`  ${link.url}`);
};

const logNames: Readonly<Record<string, string>> = { api: 'sac', ws: 'ws-proxy', db: 'postgres', demo: 'demo-model' };
export const logServices = Object.keys(logNames);

export const logs = async (
  { layout }: CommandContext,
  options: { readonly service: string; readonly follow: boolean },
): Promise<void> => {
  const file = join(layout.logsDir, `${logNames[options.service] ?? options.service}.log`);
  if (!existsSync(file))
    throw new MachineFault(`There is no log ${file} yet.`, 'It is written once that part has started: make start');
  const tail = spawn('tail', ['-n', '200', ...(options.follow ? ['-F'] : []), file], {
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  await once(tail, 'exit');
};
