import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { mintToken, TestClient } from '../../sandbox/src/terminal-server/testing/test-client.ts';
import { terminalServerNodeArguments } from '../../sandbox/src/supervisor/sandbox-process.ts';
import { Measured } from '../terminal/processes.ts';
import type { FarEnd } from '../terminal/parts.ts';

const AGENT_UID = 'agent-1';
const GENERATION = 7;
const LISTENING = /(?:listening on |"port":)(\d+)/;
const bundle = fileURLToPath(new URL('../../sandbox/dist/terminal-server.js', import.meta.url));
export const size = { columns: 100, rows: 30 } as const;

/** The real terminal server as a process of its own, with a shell script in each terminal. */
export class TerminalServer {
  readonly process: Measured;
  readonly #directory: string;
  readonly #key: string;

  private constructor(process: Measured, directory: string, key: string) {
    this.process = process;
    this.#directory = directory;
    this.#key = key;
  }

  static async start(script: string): Promise<TerminalServer> {
    const directory = mkdtempSync(join(tmpdir(), 'sac-bench-'));
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
        env: { SAC_TERMINAL_LISTEN: 'tcp:127.0.0.1:0', SAC_CONTROL_LISTEN: `unix:${join(directory, 'control.sock')}` },
        core: null,
        ready: LISTENING,
      });
      return new TerminalServer(measured, directory, key);
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
    return new TestClient({ url: `ws://127.0.0.1:${this.process.port}/ws`, token: this.token(terminal), hello });
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
