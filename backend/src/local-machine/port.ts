import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { createServer } from 'node:net';
import { once } from 'node:events';
import { basename } from 'node:path';
import { MachineFault } from './fault.ts';

const LISTENING = '0A';

/** Inode of the socket that listens on a port, from the kernel's table. */
const listeningInode = (port: number): string | null => {
  const hexPort = port.toString(16).toUpperCase().padStart(4, '0');
  for (const table of ['/proc/net/tcp', '/proc/net/tcp6']) {
    let lines: string[];
    try {
      lines = readFileSync(table, 'utf8').split('\n').slice(1);
    } catch {
      continue; // IPv6 may be off
    }
    for (const line of lines) {
      const fields = line.trim().split(/\s+/);
      if (fields[1]?.endsWith(`:${hexPort}`) === true && fields[3] === LISTENING) return fields[9] ?? null;
    }
  }
  return null;
};

const ownsSocket = (pid: string, inode: string): boolean => {
  try {
    return readdirSync(`/proc/${pid}/fd`).some((fd) => {
      try {
        return readlinkSync(`/proc/${pid}/fd/${fd}`) === `socket:[${inode}]`;
      } catch {
        return false; // closed while we looked
      }
    });
  } catch {
    return false; // somebody else's process, or gone
  }
};

/** `name (pid 123)` of the process that listens on a port, as far as this user may see it. */
export const portHolder = (port: number): string | null => {
  const inode = listeningInode(port);
  if (inode === null) return null;
  const pid = readdirSync('/proc').find((entry) => /^\d+$/.test(entry) && ownsSocket(entry, inode));
  if (pid === undefined) return null;
  const [program = ''] = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
  return `${basename(program)} (pid ${pid})`;
};

export const explainListenError = (error: unknown, host: string, port: number): unknown => {
  const code = error instanceof Error && 'code' in error ? error.code : '';
  if (code === 'EADDRINUSE') {
    const holder = portHolder(port) ?? 'another program';
    return new MachineFault(
      `Port ${port} on ${host} is taken by ${holder}.`,
      `Stop it, or choose another port: make start SAC_PORT=${port === 65_535 ? 8080 : port + 1}`,
      { cause: error },
    );
  }
  if (code === 'EACCES') {
    return new MachineFault(
      `This user may not listen on port ${port}.`,
      'Choose a port above 1023: make start SAC_PORT=8080',
      {
        cause: error,
      },
    );
  }
  if (code === 'EADDRNOTAVAIL' || code === 'ENOTFOUND') {
    return new MachineFault(
      `${host} is not an address of this machine.`,
      'Set SAC_HOST to 127.0.0.1, 0.0.0.0 or an address that "ip addr" lists.',
      {
        cause: error,
      },
    );
  }
  return error;
};

/** Fails early and with the reason when a port cannot be listened on; returns it (a free one for port 0). */
export const reservePort = async (host: string, port: number): Promise<number> => {
  const server = createServer();
  try {
    server.listen({ host, port });
    await once(server, 'listening');
    const address = server.address();
    return typeof address === 'object' && address !== null ? address.port : port;
  } catch (error) {
    throw explainListenError(error, host, port);
  } finally {
    server.close();
  }
};
