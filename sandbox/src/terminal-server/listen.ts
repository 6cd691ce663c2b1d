import { unlinkSync } from 'node:fs';
import type { ListenOptions } from 'node:net';

const MAX_UNIX_PATH_BYTES = 107;

/**
 * Reads `fd:3`, `unix:/path` or `tcp:host:port` (port 0: any free one; IPv6 in brackets).
 * @throws Error naming the variable and what is allowed
 */
export const parseListen = (variable: string, value: string | undefined): ListenOptions & { readonly fd?: number } => {
  const wrong = (problem: string): Error =>
    new Error(`${variable}: ${problem}; expected fd:<number>, unix:<absolute path> or tcp:<host>:<port>`);
  const [, kind, rest] = /^(fd|unix|tcp):(.+)$/.exec(value ?? '') ?? [];
  if (kind === undefined || rest === undefined)
    throw wrong(value === undefined ? 'is not set' : `is ${JSON.stringify(value)}`);
  if (kind === 'fd') {
    if (!/^[0-9]{1,4}$/.test(rest)) throw wrong(`${rest} is not a descriptor`);
    return { fd: Number(rest) };
  }
  if (kind === 'unix') {
    if (!rest.startsWith('/') || Buffer.byteLength(rest) > MAX_UNIX_PATH_BYTES)
      throw wrong(`${rest} is not an absolute path of at most ${MAX_UNIX_PATH_BYTES} bytes`);
    return { path: rest };
  }
  const [, host, port] = /^(\[[0-9a-fA-F:]+\]|[^:]+):([0-9]{1,5})$/.exec(rest) ?? [];
  if (host === undefined || Number(port) > 65_535) throw wrong(`${rest} is not an address`);
  return { host: host.replace(/^\[|\]$/g, ''), port: Number(port) };
};

/** A socket file left by a process that was killed would refuse the new one. */
export const removeStaleSocket = (options: ListenOptions): void => {
  if (options.path === undefined) return;
  try {
    unlinkSync(options.path);
  } catch {
    // There was none.
  }
};
