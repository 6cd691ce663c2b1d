import type { ServerMessage, Size } from '@sac/contracts';
import type { Terminal } from '@xterm/headless';
import { createEmulator, feed, screenState } from './screen-state.ts';
import type { TestClient } from './test-client.ts';

/**
 * Shows what a client receives, the way the browser does: bytes as bytes, sizes only from the server. It draws when
 * somebody looks: hundreds of browsers draw on machines of their own, not in the process that measures.
 */
export class EmulatorClient {
  readonly #emulator: Terminal = createEmulator({ columns: 80, rows: 24 });
  #undrawn: ((emulator: Terminal) => void)[] = [];
  stream: string | null = null;
  /** Offset after the last byte shown; what a reconnect asks for. */
  offset = 0;
  /** Every counted byte shown, for comparison with what was written. */
  readonly shown: Buffer[] = [];
  snapshots = 0;
  #client: TestClient | null = null;
  #cutAt = Infinity;
  #onCut: () => void = () => undefined;

  follow(client: TestClient): void {
    this.#client = client;
    client.onMessage = (message) => {
      if (this.#client === client) this.#show(message);
    };
  }

  /** Cuts the connection exactly after the byte before `offset`, in the middle of a frame if need be. */
  cutAt(offset: number, onCut: () => void): void {
    this.#cutAt = offset;
    this.#onCut = onCut;
    if (this.offset >= offset) this.#cut();
  }

  get emulator(): Terminal {
    const undrawn = this.#undrawn;
    this.#undrawn = [];
    for (const draw of undrawn) draw(this.#emulator);
    return this.#emulator;
  }

  get state(): object {
    return screenState(this.emulator);
  }

  #show(message: ServerMessage): void {
    switch (message.type) {
      case 'sync':
        this.stream = message.sync.stream;
        if (message.sync.kind === 'snapshot') this.snapshots++;
        this.offset = message.sync.offset;
        this.#resize(message.sync);
        break;
      case 'state':
        this.#resize(message.state);
        break;
      case 'snapshot':
        this.#feed(Buffer.from(message.data));
        break;
      case 'output':
        this.#output(Buffer.from(message.data));
        break;
      default:
        break;
    }
  }

  #output(data: Buffer): void {
    const kept = data.subarray(0, Math.max(0, Math.min(data.length, this.#cutAt - this.offset)));
    this.#feed(kept);
    this.shown.push(kept);
    this.offset += kept.length;
    if (this.offset >= this.#cutAt) this.#cut();
  }

  #feed(bytes: Buffer): void {
    this.#undrawn.push((emulator) => feed(emulator, bytes));
  }

  #resize({ columns, rows }: Size): void {
    this.#undrawn.push((emulator) => {
      if (emulator.cols !== columns || emulator.rows !== rows) emulator.resize(columns, rows);
    });
  }

  #cut(): void {
    this.#cutAt = Infinity;
    this.#client?.cut();
    this.#client = null;
    this.#onCut();
  }
}
