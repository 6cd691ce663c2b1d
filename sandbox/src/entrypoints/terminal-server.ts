import { closeSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { readLaunchSpec, type LaunchSpec } from '../launch-spec.ts';
import { parseListen } from '../terminal-server/listen.ts';
import { runTerminalServer } from '../terminal-server/run.ts';

/** A descriptor that held the key is closed: whatever runs with our rights could open it through /proc. */
const takeSpec = (path: string): LaunchSpec => {
  const spec = readLaunchSpec(path);
  const descriptor = /^\/(?:dev|proc\/self)\/fd\/([0-9]+)$/.exec(path)?.[1];
  if (descriptor !== undefined) closeSync(Number(descriptor));
  return spec;
};

/** Runs in the sandbox: `node terminal-server.js --spec <file>`; sockets come from SAC_TERMINAL_LISTEN and SAC_CONTROL_LISTEN. */
await runTerminalServer(
  () => {
    const { values } = parseArgs({ options: { spec: { type: 'string' } } });
    if (values.spec === undefined) throw new Error('--spec <file> is missing');
    const terminalListen = parseListen('SAC_TERMINAL_LISTEN', process.env['SAC_TERMINAL_LISTEN']);
    const controlListen = parseListen('SAC_CONTROL_LISTEN', process.env['SAC_CONTROL_LISTEN']);
    if (controlListen.port !== undefined)
      throw new Error('SAC_CONTROL_LISTEN: tcp is not allowed, it would be open to everything in the sandbox');
    return { spec: takeSpec(values.spec), terminalListen, controlListen };
  },
  (code) => process.exit(code),
);
