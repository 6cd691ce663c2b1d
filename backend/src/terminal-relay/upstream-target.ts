import { isAbsolute, normalize, sep } from 'node:path';
import type { NetConnectOpts } from 'node:net';
import type { Upstream } from '@sac/contracts';
import type { UpstreamPolicy } from './messages.ts';

/** `sun_path` holds 108 bytes with the final NUL. */
const MAX_UNIX_PATH_BYTES = 107;
const HOST = /^[A-Za-z0-9:._-]{1,253}$/;

export interface Target {
  readonly options: NetConnectOpts;
  /** Value of the Host header. */
  readonly authority: string;
}

const unixTarget = (path: string, directory: string | null): Target | null => {
  if (directory === null) return null;
  const root = normalize(`${directory}${sep}`);
  const plain =
    isAbsolute(path) &&
    normalize(path) === path &&
    !path.includes('\0') &&
    Buffer.byteLength(path) <= MAX_UNIX_PATH_BYTES;
  return plain && path.startsWith(root) && path.length > root.length
    ? { options: { path }, authority: 'localhost' }
    : null;
};

const tcpTarget = (host: string, port: number): Target | null => {
  if (!HOST.test(host) || port < 1 || port > 65_535) return null;
  return { options: { host, port }, authority: `${host.includes(':') ? `[${host}]` : host}:${port}` };
};

/** Where to connect, in order; empty when the policy allows none of it. A signed ticket is no reason to skip this. */
export const targetsOf = (upstream: Upstream, policy: UpstreamPolicy): Target[] => {
  const candidates =
    upstream.kind === 'unix'
      ? [unixTarget(upstream.path, policy.unixDirectory)]
      : policy.tcp
        ? [upstream.host, upstream.fallbackHost].map((host) => (host === null ? null : tcpTarget(host, upstream.port)))
        : [];
  return candidates.filter((target) => target !== null);
};
