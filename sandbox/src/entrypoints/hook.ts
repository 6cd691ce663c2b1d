import { connect } from 'node:net';
import { MAX_HOOK_LINE_BYTES, toHookEvent } from '../hooks/hook-event.ts';

/**
 * Run by the CLI for every hook event: `node hook.js <socket> <cli>`. Reads the event, passes the few members
 * the sidecar needs to it and ends. It must never hold up or fail the CLI: no output, always exit code 0. That
 * takes milliseconds; a missing sidecar refuses at once. The deadline is only for one that hangs, and generous:
 * on a loaded machine a hook that gave up early would be an event lost.
 */
const DEADLINE_MS = 10_000;
const MAX_INPUT_BYTES = 16 * 1024 * 1024;

const [socketPath = '', cli = ''] = process.argv.slice(2);
const finish = (): never => process.exit(0);
setTimeout(finish, DEADLINE_MS);

const send = (input: string): void => {
  let parsed: unknown;
  try {
    parsed = JSON.parse(input);
  } catch {
    finish();
  }
  const event = toHookEvent(cli, parsed);
  if (event === null) return finish();
  const line = `${JSON.stringify(event)}\n`;
  if (Buffer.byteLength(line) > MAX_HOOK_LINE_BYTES) return finish();
  const socket = connect(socketPath, () => socket.end(line));
  // The sidecar closes when it has taken the line.
  socket.on('close', finish).on('error', finish).resume();
};

const parts: Buffer[] = [];
let sizeBytes = 0;
process.stdin.on('data', (part: Buffer) => {
  sizeBytes += part.length;
  if (sizeBytes > MAX_INPUT_BYTES) finish();
  parts.push(part);
});
process.stdin.on('end', () => send(Buffer.concat(parts).toString('utf8')));
