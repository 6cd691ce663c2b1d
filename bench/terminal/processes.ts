import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';

const START_TIMEOUT_MS = 20_000;

export interface StartOptions {
  readonly command: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Core to stay on; null: wherever the kernel likes. */
  readonly core: number | null;
  /** Its first group is the port, in a line of stdout or stderr. */
  readonly ready: RegExp;
}

/** A process of the measurement: where it listens, what it used, and how it ends. */
export class Measured {
  readonly port: number;
  readonly #child: ChildProcess;
  readonly #lines: readonly string[];

  private constructor(child: ChildProcess, lines: readonly string[], port: number) {
    this.#child = child;
    this.#lines = lines;
    this.port = port;
  }

  /** @throws Error with the last output when the process does not say its port in 20 s */
  static async start({ command, args, env = {}, core, ready }: StartOptions): Promise<Measured> {
    const [file, ...rest] = core === null ? [command, ...args] : ['taskset', '-c', String(core), command, ...args];
    const child = spawn(file as string, rest, {
      env: { PATH: process.env['PATH'] ?? '', HOME: process.env['HOME'] ?? '/', ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const lines: string[] = [];
    const port = Promise.withResolvers<number>();
    for (const stream of [child.stdout, child.stderr]) {
      createInterface({ input: stream }).on('line', (line) => {
        lines.push(line);
        if (lines.length > 20) lines.shift();
        const found = ready.exec(line)?.[1];
        if (found !== undefined) port.resolve(Number(found));
      });
    }
    const fail = (): void => port.reject(new Error(`${command} did not start:\n${lines.join('\n')}`));
    child.once('error', fail).once('exit', fail);
    const timer = setTimeout(fail, START_TIMEOUT_MS);
    try {
      return new Measured(child, lines, await port.promise);
    } catch (error) {
      child.kill('SIGKILL');
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }

  get #pid(): number {
    return this.#child.pid ?? 0;
  }

  /** Seconds of CPU its threads have used, to the nanosecond; children are not counted. */
  get cpuSeconds(): number {
    const tasks = `/proc/${this.#pid}/task`;
    const nanoseconds = readdirSync(tasks).map((task) => {
      const [running = '0'] = readFileSync(`${tasks}/${task}/schedstat`, 'utf8').split(' ');
      return Number(running);
    });
    return nanoseconds.reduce((sum, value) => sum + value, 0) / 1e9;
  }

  get residentBytes(): number {
    return 1_024 * Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${this.#pid}/status`, 'utf8'))?.[1]);
  }

  /** Last line it printed. */
  get lastLine(): string {
    return this.#lines.at(-1) ?? '';
  }

  /** Whether it runs, and its last output: for the error of a measurement that broke off. */
  get lastWords(): string {
    const { exitCode, signalCode } = this.#child;
    const state = exitCode === null && signalCode === null ? 'runs' : `ended with ${exitCode ?? signalCode}`;
    return `it ${state}; its last lines:\n${this.#lines.join('\n')}`;
  }

  async end(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const gone = once(this.#child, 'exit');
    this.#child.kill('SIGTERM');
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), 1_000);
    await gone;
    clearTimeout(timer);
  }
}

/** Everything a measurement started; ended in reverse order. */
export class Stack {
  readonly #steps: (() => unknown)[] = [];
  add<T extends { end(): unknown }>(thing: T): T {
    this.#steps.push(() => thing.end());
    return thing;
  }
  defer(step: () => unknown): void {
    this.#steps.push(step);
  }
  async end(): Promise<void> {
    for (const step of this.#steps.splice(0).reverse()) await step();
  }
}
