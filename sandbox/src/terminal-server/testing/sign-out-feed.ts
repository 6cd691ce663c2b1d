import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

const SAY_EVERY_MS = 10_000;
const READY_WITHIN_MS = 20_000;
const LOOK_EVERY_MS = 10;

/** What a ws-proxy that runs by itself hears from api-gateway: that nobody has signed out. */
export class SignOutFeed {
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
  }

  static async start(): Promise<SignOutFeed> {
    const server = createServer((_request, response) => {
      const say = (): void => void response.write('{"kind":"current"}\n');
      const timer = setInterval(say, SAY_EVERY_MS);
      response.once('close', () => clearInterval(timer));
      say();
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    server.unref(); // a measurement that has ended does not wait for it
    return new SignOutFeed(server);
  }

  /** Environment of a ws-proxy that listens to this. */
  get env(): Readonly<Record<string, string>> {
    const { port } = this.#server.address() as AddressInfo;
    return {
      SAC_INTERNAL_URL: `http://127.0.0.1:${port}`,
      SAC_WS_PROXY_CREDENTIAL: 'credential-of-the-terminal-proxy-0123456789',
    };
  }

  close(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }
}

/** Resolves when the ws-proxy at this port takes terminals. @throws Error when it does not in 20 s */
export const untilReady = async (port: number): Promise<void> => {
  const deadline = performance.now() + READY_WITHIN_MS;
  for (;;) {
    const response = await fetch(`http://127.0.0.1:${port}/health/ready`);
    await response.body?.cancel();
    if (response.ok) return;
    if (performance.now() > deadline) throw new Error(`ws-proxy is not ready within ${READY_WITHIN_MS} ms`);
    await sleep(LOOK_EVERY_MS);
  }
};
