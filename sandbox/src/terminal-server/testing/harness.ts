import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { LaunchCommand, LaunchSpec } from '../../launch-spec.ts';
import { createTerminalServer, type TerminalServer } from '../server.ts';
import { mintToken, TestClient, type ConnectOptions, type TokenOptions } from './test-client.ts';

export interface HarnessOptions {
  /** Shell script that `main` runs. Default: a bash that reads commands, without prompt or echo of its own. */
  readonly main?: string;
  readonly shell?: string;
  readonly resume?: LaunchSpec['main']['resume'];
  /** Listen on a free TCP port of the loopback address instead of a socket file. */
  readonly tcp?: boolean;
  readonly recording?: LaunchSpec['recording'];
  /** Of an earlier server, whose files this one finds; not deleted by `stop`. */
  readonly directory?: string;
}

export interface ControlResponse {
  readonly status: number;
  readonly body: unknown;
}

const PROMPTLESS = 'PS1= exec bash --norc --noprofile --noediting';

/** A terminal server with real PTYs on sockets in a directory of its own. */
export class Harness {
  readonly directory: string;
  readonly warnings: string[] = [];
  readonly spec: LaunchSpec;
  readonly controlPath: string;
  readonly #clients: TestClient[] = [];
  #server: TerminalServer | null = null;
  readonly #ownsDirectory: boolean;

  constructor(options: HarnessOptions = {}) {
    this.directory = options.directory ?? mkdtempSync(join(tmpdir(), 'sac-terminal-'));
    this.#ownsDirectory = options.directory === undefined;
    this.spec = {
      agentUid: 'agent-1',
      generation: 7,
      terminalKey: randomBytes(32).toString('base64url'),
      workspaceDir: this.directory,
      main: { ...this.#run(options.main ?? PROMPTLESS), resume: options.resume ?? null },
      shell: this.#run(options.shell ?? PROMPTLESS),
      recording: options.recording ?? null,
    };
    this.controlPath = join(this.directory, 'control.sock');
  }

  static async start(options: HarnessOptions = {}): Promise<Harness> {
    const harness = new Harness(options);
    harness.#server = await createTerminalServer({
      spec: harness.spec,
      terminalListen:
        options.tcp === true ? { host: '127.0.0.1', port: 0 } : { path: join(harness.directory, 'terminal.sock') },
      controlListen: { path: harness.controlPath },
      onFatal: (error) => {
        throw error;
      },
      onWarning: (message) => harness.warnings.push(message),
    });
    return harness;
  }

  get server(): TerminalServer {
    if (this.#server === null) throw new Error('the harness was not started');
    return this.#server;
  }

  /** Port it listens on. @throws Error when it listens on a socket file */
  get port(): number {
    const { address } = this.server;
    if (address === null || typeof address === 'string') throw new Error('the harness listens on a socket file');
    return address.port;
  }

  get url(): string {
    return typeof this.server.address === 'string'
      ? `ws+unix:${this.server.address}:/ws`
      : `ws://127.0.0.1:${this.port}/ws`;
  }

  token(options: Partial<TokenOptions> = {}): string {
    return mintToken({
      key: this.spec.terminalKey,
      agentUid: this.spec.agentUid,
      generation: this.spec.generation,
      ...options,
    });
  }

  connect(options: Partial<ConnectOptions> & { readonly claims?: Partial<TokenOptions> } = {}): TestClient {
    const client = new TestClient({ url: this.url, token: this.token(options.claims), ...options });
    this.#clients.push(client);
    return client;
  }

  async control(method: string, path: string, body?: unknown): Promise<ControlResponse> {
    const isRaw = Buffer.isBuffer(body);
    const payload = body === undefined ? undefined : isRaw ? body : Buffer.from(JSON.stringify(body));
    const headers =
      payload === undefined
        ? {}
        : { 'content-type': isRaw ? 'application/octet-stream' : 'application/json', 'content-length': payload.length };
    return new Promise((resolve, reject) => {
      const sent = request({ socketPath: this.controlPath, method, path, headers }, (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('end', () => {
          const text = Buffer.concat(chunks).toString();
          resolve({ status: response.statusCode ?? 0, body: text === '' ? null : (JSON.parse(text) as unknown) });
        });
      });
      sent.on('error', reject);
      sent.end(payload);
    });
  }

  async stop(): Promise<void> {
    for (const client of this.#clients) client.cut();
    await this.#server?.close();
    if (this.#ownsDirectory) rmSync(this.directory, { recursive: true, force: true });
  }

  #run(script: string): LaunchCommand {
    return {
      command: '/bin/sh',
      args: ['-c', script],
      env: { PATH: `${dirname(process.execPath)}:/usr/local/bin:/usr/bin:/bin`, LANG: 'C.UTF-8', HOME: this.directory },
      cwd: this.directory,
    };
  }
}
