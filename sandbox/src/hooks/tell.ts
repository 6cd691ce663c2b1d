import { connect } from 'node:net';
import { MAX_HOOK_LINE_BYTES, toHookEvent } from './hook-event.ts';

const DEADLINE_MS = 5_000;
const MAX_WAITING = 256;

/** Set by the profile; names starting with SAC_ cannot be set by an agent's own environment. */
export const HOOK_SOCKET_VARIABLE = 'SAC_HOOK_SOCKET';

/** Hands one line to the sidecar. Never fails: a CLI must not notice that nobody listens. */
const send = (socketPath: string, line: string): Promise<void> =>
  new Promise((resolve) => {
    const socket = connect(socketPath, () => socket.end(line));
    // The sidecar closes when it has taken the line.
    socket.setTimeout(DEADLINE_MS, () => socket.destroy());
    socket.on('error', () => socket.destroy());
    socket.on('close', () => resolve());
    socket.resume();
  });

/**
 * For plugins that live inside a CLI: tells the sidecar of events, one after the other and without making the
 * caller wait. Events beyond the bound are dropped; the next one that tells the state mends what was lost.
 */
export const createTeller = (cli: string, socketPath = '') => {
  let last = Promise.resolve();
  let waiting = 0;
  return (input: Readonly<Record<string, unknown>>): void => {
    const event = toHookEvent(cli, input);
    const line = `${JSON.stringify(event)}\n`;
    if (event === null || socketPath === '' || waiting >= MAX_WAITING) return;
    if (Buffer.byteLength(line) > MAX_HOOK_LINE_BYTES) return;
    waiting += 1;
    last = last.then(async () => {
      await send(socketPath, line);
      waiting -= 1;
    });
  };
};
