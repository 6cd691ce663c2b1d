import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';

const READY_WITHIN_MS = 20_000;
const LOOK_EVERY_MS = 10;

/**
 * What a ws-proxy that runs by itself hears from api-gateway: that nobody has signed out. In a thread of its own: a proxy takes no
 * terminal before it has heard it, and must not wait for a measurement that is busy.
 */
export class SignOutFeed {
  readonly #worker: Worker;
  readonly #port: number;

  private constructor(worker: Worker, port: number) {
    this.#worker = worker;
    this.#port = port;
  }

  static async start(): Promise<SignOutFeed> {
    // Its file is no `*.worker.ts`: those become part of the product.
    const worker = new Worker(new URL('./sign-out-feed-thread.ts', import.meta.url));
    const [port] = (await once(worker, 'message')) as [number];
    worker.unref(); // a measurement that has ended does not wait for it
    return new SignOutFeed(worker, port);
  }

  /** Environment of a ws-proxy that listens to this. */
  get env(): Readonly<Record<string, string>> {
    return {
      SAC_INTERNAL_URL: `http://127.0.0.1:${this.#port}`,
      SAC_WS_PROXY_CREDENTIAL: 'credential-of-the-terminal-proxy-0123456789',
    };
  }

  close(): void {
    void this.#worker.terminate();
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
