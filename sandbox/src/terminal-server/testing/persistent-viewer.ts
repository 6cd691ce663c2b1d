import { setTimeout as sleep } from 'node:timers/promises';
import { reconnectDelayMs, type Hello } from '@sac/contracts';
import { EmulatorClient } from './emulator-client.ts';
import { TestClient } from './test-client.ts';

export interface PersistentViewerOptions {
  /** A connection with a ticket of its own. */
  readonly connect: (hello: Hello) => TestClient;
  readonly columns: number;
  readonly rows: number;
}

/** A viewer that comes back as our page does: same delays, same place in the stream. */
export class PersistentViewer {
  readonly screen = new EmulatorClient();
  /** For every return: milliseconds from the loss of the connection to the first frame of the next one. */
  readonly awayMs: number[] = [];
  readonly #options: PersistentViewerOptions;
  readonly #stopped = new AbortController();
  #client: TestClient | null = null;
  #ended: Promise<void>;

  constructor(options: PersistentViewerOptions) {
    this.#options = options;
    this.#ended = this.#live();
  }

  get client(): TestClient {
    if (this.#client === null) throw new Error('not connected yet');
    return this.#client;
  }

  /** True while the last connection has begun to send and has not ended. */
  get isLive(): boolean {
    return this.#client !== null && this.#client.sync !== null && this.#client.closeInfo === null;
  }

  async stop(): Promise<void> {
    this.#stopped.abort();
    this.#client?.cut();
    await this.#ended;
  }

  async #live(): Promise<void> {
    let lostAtMs: number | null = null;
    let attempt = 0;
    while (!this.#stopped.signal.aborted) {
      const client = this.#options.connect(this.#hello());
      this.#client = client;
      this.screen.follow(client);
      await Promise.race([client.closed, client.untilSync().catch(() => undefined)]);
      if (client.sync !== null) {
        if (lostAtMs !== null) this.awayMs.push(performance.now() - lostAtMs);
        attempt = 0;
        await client.closed;
        lostAtMs = performance.now();
      }
      attempt += 1;
      await sleep(reconnectDelayMs(attempt, Math.random()), undefined, { signal: this.#stopped.signal }).catch(
        () => undefined,
      );
    }
  }

  #hello(): Hello {
    const { columns, rows } = this.#options;
    const { stream, offset } = this.screen;
    return TestClient.helloOf(stream === null ? {} : { stream, offset }, columns, rows);
  }
}
