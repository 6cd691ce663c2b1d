import { closeSync, writeSync } from 'node:fs';
import { parseArgs } from 'node:util';
import pino from 'pino';
import { readLaunchSpec, type LaunchSpec } from '../launch-spec.ts';
import { parseListen } from '../terminal-server/listen.ts';
import { createTerminalServer } from '../terminal-server/server.ts';

/** Runs in the sandbox: `node terminal-server.js --spec <file>`; sockets come from SAC_TERMINAL_LISTEN and SAC_CONTROL_LISTEN. */
/** A full disk must not end the terminals: pino's own writer would throw into whoever logs. */
const writeLine = (line: string): void => {
  try {
    writeSync(process.stdout.fd, line);
  } catch {
    // The line is lost.
  }
};
const logger = pino({ name: 'terminal-server' }, { write: writeLine });

const fail = (error: unknown): never => {
  logger.fatal({ err: error }, 'the terminal server cannot go on');
  process.exit(1);
};

/** A descriptor that held the key is closed: whatever runs with our rights could open it through /proc. */
const takeSpec = (path: string): LaunchSpec => {
  const spec = readLaunchSpec(path);
  const descriptor = /^\/(?:dev|proc\/self)\/fd\/([0-9]+)$/.exec(path)?.[1];
  if (descriptor !== undefined) closeSync(Number(descriptor));
  return spec;
};

const main = async (): Promise<void> => {
  const { values } = parseArgs({ options: { spec: { type: 'string' } } });
  if (values.spec === undefined) throw new Error('--spec <file> is missing');
  const terminalListen = parseListen('SAC_TERMINAL_LISTEN', process.env['SAC_TERMINAL_LISTEN']);
  const controlListen = parseListen('SAC_CONTROL_LISTEN', process.env['SAC_CONTROL_LISTEN']);
  if (controlListen.port !== undefined)
    throw new Error('SAC_CONTROL_LISTEN: tcp is not allowed, it would be open to everything in the sandbox');
  const server = await createTerminalServer({
    spec: takeSpec(values.spec),
    terminalListen,
    controlListen,
    onFatal: fail,
    onWarning: (message) => logger.warn(message),
  });
  logger.info({ address: server.address, pid: server.terminals.state.main.pid }, 'ready');
  let ending = false;
  const end = (signal: NodeJS.Signals): void => {
    if (ending) return;
    ending = true;
    logger.info({ signal }, 'ending');
    server.close().then(() => process.exit(0), fail);
  };
  process.on('SIGTERM', end);
  process.on('SIGINT', end);
};

process.on('uncaughtException', fail);
process.on('unhandledRejection', fail);
main().catch(fail);
