import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Upstream } from '@sac/contracts';
import { mintToken, TestClient } from '../../sandbox/src/terminal-server/testing/test-client.ts';
import { terminalServerNodeArguments } from '../../sandbox/src/supervisor/sandbox-process.ts';
import { Measured } from '../terminal/processes.ts';
import type { FarEnd } from '../terminal/parts.ts';

const AGENT_UID = 'agent-1';
const GENERATION = 7;
const LISTENING = /(?:listening on |"port":)(\d+)/;
const READY = /"msg":"(ready)"/;
const bundle = fileURLToPath(new URL('../../sandbox/dist/terminal-server.js', import.meta.url));
export const size = { columns: 100, rows: 30 } as const;

/** The real terminal server as a process of its own, with a shell script in each terminal. */
export class TerminalServer {
  readonly process: Measured;
  readonly upstream: Upstream;
  readonly #directory: string;
  readonly #key: string;

  private constructor(process: Measured, upstream: Upstream, directory: string, key: string) {
    this.process = process;
    this.upstream = upstream;
    this.#directory = directory;
    this.#key = key;
  }

  /** `within`: a folder to make its Unix socket in, as on one machine; without, it listens on a port of this machine. */
  static async start(script: string, within?: string): Promise<TerminalServer> {
    const directory = mkdtempSync(join(within ?? tmpdir(), 'sac-bench-'));
    const socketPath = within === undefined ? null : join(directory, 'terminal.sock');
    const key = randomUUID() + randomUUID();
    const env = { PATH: '/usr/local/bin:/usr/bin:/bin', HOME: directory, LANG: 'C.UTF-8' };
    const launch = { command: '/bin/sh', args: ['-c', script], env, cwd: directory };
    const spec = join(directory, 'spec.json');
    writeFileSync(
      spec,
      JSON.stringify({
        agentUid: AGENT_UID,
        generation: GENERATION,
        terminalKey: key,
        workspaceDir: directory,
        main: { ...launch, resume: null },
        shell: launch,
      }),
    );
    try {
      const measured = await Measured.start({
        command: process.execPath,
        args: [...terminalServerNodeArguments, bundle, '--spec', spec],
        env: {
          SAC_TERMINAL_LISTEN: socketPath === null ? 'tcp:127.0.0.1:0' : `unix:${socketPath}`,
          SAC_CONTROL_LISTEN: `unix:${join(directory, 'control.sock')}`,
        },
        core: null,
        ready: socketPath === null ? LISTENING : READY,
      });
      const upstream: Upstream =
        socketPath === null
          ? { kind: 'tcp', host: '127.0.0.1', port: measured.port, fallbackHost: null }
          : { kind: 'unix', path: socketPath };
      return new TerminalServer(measured, upstream, directory, key);
    } catch (error) {
      rmSync(directory, { recursive: true, force: true });
      throw error;
    }
  }

  get farEnd(): FarEnd {
    return { name: 'terminal server', process: this.process, bearer: () => this.token('main') };
  }

  token(terminal: string): string {
    return mintToken({ key: this.#key, agentUid: AGENT_UID, generation: GENERATION, terminal });
  }

  connect(terminal: string, hello = TestClient.helloOf({}, size.columns, size.rows)): TestClient {
    const { upstream } = this;
    const url = upstream.kind === 'unix' ? `ws+unix:${upstream.path}:/ws` : `ws://127.0.0.1:${upstream.port}/ws`;
    return new TestClient({ url, token: this.token(terminal), hello });
  }

  /** Opens one more terminal. @returns its name */
  openShell(): Promise<string> {
    return new Promise((resolve, reject) => {
      const socketPath = join(this.#directory, 'control.sock');
      const call = request({ socketPath, method: 'POST', path: '/terminals' }, (response) => {
        let text = '';
        response.on('data', (chunk: Buffer) => (text += chunk.toString()));
        response.on('end', () => {
          if (response.statusCode === 201) resolve((JSON.parse(text) as { name: string }).name);
          else reject(new Error(`opening a shell: ${response.statusCode} ${text}`));
        });
      });
      call.on('error', reject);
      call.end();
    });
  }

  async end(): Promise<void> {
    await this.process.end();
    rmSync(this.#directory, { recursive: true, force: true });
  }
}
