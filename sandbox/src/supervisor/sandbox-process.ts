import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import type { SupervisorConfig } from '@sac/contracts';
import type { LaunchSpec } from '../launch-spec.ts';
import type { Layout } from './layout.ts';
import { openInheritableListener } from './listener.ts';
import type { SupervisorLog } from './log.ts';
import { OutputTail } from './output-tail.ts';
import { openLaunchSpec } from './prepare.ts';
import { childrenOf, endMarkedProcesses, signalProcess } from './processes.ts';
import { spawnInSandbox, statusPipeOf } from './spawn.ts';

export interface ProcessExit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** What it last wrote to its standard output and error. */
  readonly output: string | null;
}

/** Its data lives outside the heap: a large young generation would only hold buffers that nobody needs any more. */
export const terminalServerNodeArguments = ['--max-semi-space-size=2'] as const;

/** After SIGKILL a process is gone at once, unless it hangs in the kernel. */
const KILL_DEADLINE_MS = 10_000;

const OUTPUT_GRACE_MS = 200;

interface Parts {
  readonly config: SupervisorConfig;
  readonly layout: Layout;
  readonly log: SupervisorLog;
}

/** One run of the terminal server with everything below it: the CLI, the shells and what they started. */
export class SandboxProcess {
  readonly exited: Promise<ProcessExit>;
  readonly #parts: Parts;
  readonly #child: ChildProcess;
  /** Process 1 of the sandbox's PID namespace, as the host numbers it. Its death is the death of all. */
  #initPid: number | null = null;

  private constructor(parts: Parts, child: ChildProcess) {
    this.#parts = parts;
    this.#child = child;
    const tail = new OutputTail();
    for (const stream of [child.stdout, child.stderr]) {
      stream?.on('data', (bytes: Buffer) => {
        tail.add(bytes);
        parts.log.write('terminal server', { output: bytes.toString('utf8') });
      });
    }
    this.#readStatus();
    this.exited = new Promise((resolve) => {
      let spawnError: Error | null = null;
      child.once('error', (error) => {
        spawnError = error;
        if (child.pid === undefined) resolve({ code: null, signal: null, output: error.message });
      });
      const ended = (code: number | null, signal: NodeJS.Signals | null) =>
        resolve({ code, signal, output: tail.text() ?? spawnError?.message ?? null });
      child.once('close', ended);
      // Without bubblewrap a stray may hold our pipes open: do not wait for it for long.
      child.once('exit', (code, signal) => setTimeout(() => ended(code, signal), OUTPUT_GRACE_MS).unref());
    });
  }

  /** @throws when a socket or the launch file cannot be made */
  static async start(parts: Parts, launch: LaunchSpec): Promise<SandboxProcess> {
    const { config, layout } = parts;
    const spec = await openLaunchSpec(config, layout, launch);
    try {
      // From here to `release` nothing may wait: see openInheritableListener.
      const terminal = openInheritableListener(layout.host.terminalSocket);
      const control = openInheritableListener(layout.host.controlSocket);
      try {
        const child = spawnInSandbox(config, layout, {
          command: [
            layout.inside.nodePath,
            ...terminalServerNodeArguments,
            config.code.terminalServer,
            '--spec',
            '/dev/fd/5',
          ],
          env: { SAC_TERMINAL_LISTEN: 'fd:3', SAC_CONTROL_LISTEN: 'fd:4' },
          stdin: 'ignore',
          descriptors: [terminal.fd, control.fd, spec.fd],
        });
        return new SandboxProcess(parts, child);
      } finally {
        terminal.release();
        control.release();
      }
    } finally {
      await spec.close();
    }
  }

  get pid(): number | null {
    return this.#child.pid ?? null;
  }

  #readStatus(): void {
    const pipe = this.#parts.layout.isolated ? statusPipeOf(this.#child, 3) : null;
    if (pipe === null) return;
    const lines = createInterface({ input: pipe as Readable });
    lines.on('line', (line) => {
      const pid = /"child-pid":\s*([0-9]+)/.exec(line)?.[1];
      if (pid !== undefined) this.#initPid = Number(pid);
    });
    lines.on('error', () => undefined);
    pipe.on('error', () => undefined);
  }

  /** The terminal server itself, as the host numbers it. */
  async #serverPid(): Promise<number | null> {
    if (!this.#parts.layout.isolated) return this.pid;
    return this.#initPid === null ? null : ((await childrenOf(this.#initPid))[0] ?? null);
  }

  /** Ends everything: politely for `graceMs`, then by force. Resolves when all of it is gone. */
  async end(graceMs: number): Promise<void> {
    const server = await this.#serverPid();
    if (server !== null && graceMs > 0) {
      signalProcess(server, 'SIGTERM');
      await this.#exitedWithin(graceMs);
    }
    this.kill();
    await this.#exitedWithin(KILL_DEADLINE_MS);
    if (!this.#parts.layout.isolated) await endMarkedProcesses(this.#parts.config.agentUid, graceMs, KILL_DEADLINE_MS);
  }

  /** Ends what bubblewrap can end at once; see `end` for the rest. */
  kill(): void {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null || this.pid === null) return;
    if (this.#initPid !== null) signalProcess(this.#initPid, 'SIGKILL');
    if (this.#parts.layout.isolated) this.#child.kill('SIGKILL');
    else signalProcess(-this.pid, 'SIGKILL');
  }

  async #exitedWithin(ms: number): Promise<void> {
    const timeout = new AbortController();
    const timer = setTimeout(() => timeout.abort(), ms);
    await Promise.race([this.exited, once(timeout.signal, 'abort')]);
    clearTimeout(timer);
  }
}
