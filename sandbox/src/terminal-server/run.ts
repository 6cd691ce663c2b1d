import { writeSync } from 'node:fs';
import type { ListenOptions } from 'node:net';
import pino, { type Logger } from 'pino';
import type { LaunchSpec } from '../launch-spec.ts';
import { createTerminalServer } from './server.ts';

/** A full disk must not end the terminals: pino's own writer would throw into whoever logs. */
const writeLine = (line: string): void => {
  try {
    writeSync(process.stdout.fd, line);
  } catch {
    // The line is lost.
  }
};

export interface TerminalServerRun {
  readonly spec: LaunchSpec;
  readonly terminalListen: ListenOptions;
  readonly controlListen: ListenOptions;
}

/** Runs the terminal server until a signal ends it. `exit` is told the exit code; it must not return. */
export const runTerminalServer = async (
  prepare: () => TerminalServerRun | Promise<TerminalServerRun>,
  exit: (code: number) => never,
): Promise<void> => {
  const logger: Logger = pino({ name: 'terminal-server' }, { write: writeLine });
  const fail = (error: unknown): never => {
    logger.fatal({ err: error }, 'the terminal server cannot go on');
    return exit(1);
  };
  process.on('uncaughtException', fail);
  process.on('unhandledRejection', fail);
  const server = await Promise.resolve()
    .then(prepare)
    .then((run) =>
      createTerminalServer({ ...run, onFatal: fail, onWarning: (message: string) => logger.warn(message) }),
    )
    .catch(fail);
  logger.info({ address: server.address, mainPid: server.terminals.state.main.pid }, 'ready');
  let ending = false;
  const end = (signal: NodeJS.Signals): void => {
    if (ending) return;
    ending = true;
    logger.info({ signal }, 'ending');
    server.close().then(() => exit(0), fail);
  };
  process.on('SIGTERM', end);
  process.on('SIGINT', end);
};
