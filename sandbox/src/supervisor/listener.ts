import { chmodSync, renameSync } from 'node:fs';
import { createServer } from 'node:net';
import { randomBytes } from 'node:crypto';

interface HandleWithDescriptor {
  readonly fd: number;
}

const hasDescriptor = (handle: unknown): handle is HandleWithDescriptor =>
  typeof handle === 'object' && handle !== null && 'fd' in handle && typeof handle.fd === 'number' && handle.fd >= 0;

export interface InheritableListener {
  /** Valid until `release`, which must be called before returning to the event loop. */
  readonly fd: number;
  /** Closes our copy; the process that inherited it is then the only one that accepts. */
  release(): void;
}

/**
 * A listening unix socket at `path` for a child to inherit. It is made here, outside the sandbox, so that no
 * process inside can ever put something else in its place.
 *
 * It is bound under another name and then renamed: that replaces an old socket in one step, and when Node
 * closes our copy it unlinks the name it bound, which is gone. Between listening and `release` nothing may
 * yield to the event loop, else this process would accept connections itself. @throws EADDRINUSE, ENOSPC …
 */
export const openInheritableListener = (path: string): InheritableListener => {
  const server = createServer();
  let failure: Error | null = null;
  server.on('error', (error) => {
    failure = error;
  });
  // The shortest temporary name: paths of unix sockets end at 107 bytes.
  const temporary = `${path.slice(0, path.lastIndexOf('/'))}/${randomBytes(4).toString('hex')}`;
  server.listen(temporary);
  // Node has no public way to learn the descriptor of a listening pipe.
  const handle: unknown = Reflect.get(server, '_handle');
  if (!hasDescriptor(handle)) {
    server.close();
    throw (
      failure ??
      new Error(`The socket ${path} could not be opened; its path may be too long (${path.length} of 100 bytes).`)
    );
  }
  chmodSync(temporary, 0o600);
  renameSync(temporary, path);
  return { fd: handle.fd, release: () => server.close() };
};
