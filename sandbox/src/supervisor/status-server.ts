import { rm } from 'node:fs/promises';
import { createServer, type Server, type Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { SupervisorRequest, type SupervisorStatus } from '@sac/contracts';
import { Compile } from 'typebox/compile';

const MAX_CONNECTIONS = 16;
const checkRequest = Compile(SupervisorRequest);

/**
 * Tells whoever connects the whole status at once and after every change, and takes requests. Only the
 * server's own user can reach the socket. A broken connection tells the other side that this process is gone.
 */
export class StatusServer {
  readonly #server: Server;
  readonly #connections = new Set<Socket>();
  readonly #status: () => SupervisorStatus;
  readonly #onRequest: (request: SupervisorRequest) => void;

  constructor(status: () => SupervisorStatus, onRequest: (request: SupervisorRequest) => void) {
    this.#status = status;
    this.#onRequest = onRequest;
    this.#server = createServer((socket) => this.#accept(socket));
    this.#server.maxConnections = MAX_CONNECTIONS;
  }

  /** @throws when the socket cannot be made */
  async listen(path: string): Promise<void> {
    await rm(path, { force: true });
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(path, resolve);
    });
    this.#server.on('error', () => undefined);
  }

  changed(): void {
    for (const socket of this.#connections) this.#tell(socket);
  }

  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    // `end` flushes what was told last.
    for (const socket of this.#connections) socket.end(() => socket.destroy());
    await closed;
  }

  #tell(socket: Socket): void {
    socket.write(`${JSON.stringify(this.#status())}\n`);
  }

  #accept(socket: Socket): void {
    this.#connections.add(socket);
    socket.on('close', () => this.#connections.delete(socket));
    socket.on('error', () => socket.destroy());
    const lines = createInterface({ input: socket });
    lines.on('line', (line) => {
      const request = parse(line);
      if (request !== null) this.#onRequest(request);
    });
    lines.on('error', () => undefined);
    this.#tell(socket);
  }
}

const parse = (line: string): SupervisorRequest | null => {
  try {
    const value: unknown = JSON.parse(line);
    return checkRequest.Check(value) ? value : null;
  } catch {
    return null;
  }
};
