import { chmod, rm } from 'node:fs/promises';
import { createServer, type Server, type Socket } from 'node:net';
import { MAX_HOOK_LINE_BYTES, parseHookLine, type HookEvent } from '../hooks/hook-event.ts';

const MAX_CONNECTIONS = 64;
const IDLE_TIMEOUT_MS = 5_000;

/**
 * Takes hook events from inside the sandbox: one connection, one line. The socket lies in a folder the agent
 * can see but not change; what arrives is data of the agent, bounded here and checked by `parseHookLine`.
 */
export class HookServer {
  readonly #server: Server;

  constructor(onEvent: (event: HookEvent) => void) {
    this.#server = createServer((socket) => receive(socket, onEvent));
    this.#server.maxConnections = MAX_CONNECTIONS;
  }

  async listen(path: string): Promise<void> {
    await rm(path, { force: true });
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(path, resolve);
    });
    // The agent may be another user of the machine; only its sandbox can see this folder.
    await chmod(path, 0o666);
    this.#server.on('error', () => undefined);
  }

  async close(): Promise<void> {
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }
}

const receive = (socket: Socket, onEvent: (event: HookEvent) => void): void => {
  const parts: Buffer[] = [];
  let sizeBytes = 0;
  socket.setTimeout(IDLE_TIMEOUT_MS, () => socket.destroy());
  socket.on('error', () => socket.destroy());
  socket.on('data', (part: Buffer) => {
    sizeBytes += part.length;
    if (sizeBytes > MAX_HOOK_LINE_BYTES) {
      socket.destroy();
      return;
    }
    parts.push(part);
    if (!part.includes(0x0a)) return;
    const event = parseHookLine(Buffer.concat(parts).toString('utf8'));
    if (event !== null) onEvent(event);
    socket.end();
  });
};
