import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync } from 'node:fs';
import type { Logger } from 'pino';
import { openLog } from './log-files.ts';
import { endProcess, identityOf } from './process-identity.ts';

export interface ChildOptions {
  /** For logs and status. */
  readonly name: string;
  /** Bundle to run with this Node. */
  readonly script: string;
  readonly nodeArgs?: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly logFile: string;
  readonly logger: Logger;
  readonly stopGraceMs: number;
  /** From the end of one that ran well to the start of the next; default 100. */
  readonly restartMinMs?: number;
  /** Called for every new process, before it runs anything. */
  readonly onSpawn?: (child: ChildProcess) => void;
}

export interface ChildStatus {
  readonly state: 'running' | 'restarting' | 'stopped';
  readonly pid: number | null;
  readonly restarts: number;
}

const RESTART_MIN_MS = 100;
const RESTART_MAX_MS = 10_000;
/** A child that ran this long is healthy; its next crash starts again with the short delay. */
const STABLE_AFTER_MS = 30_000;

/** A Node process with an IPC channel that is started again, with growing delays, whenever it ends by itself. */
export class SupervisedChild {
  readonly #options: ChildOptions;
  #child: ChildProcess | null = null;
  #timer: NodeJS.Timeout | null = null;
  #wanted = false;
  #restarts = 0;
  #delayMs: number;
  #startedAtMs = 0;

  constructor(options: ChildOptions) {
    this.#options = options;
    this.#delayMs = this.#restartMinMs;
  }

  get #restartMinMs(): number {
    return this.#options.restartMinMs ?? RESTART_MIN_MS;
  }

  get process(): ChildProcess | null {
    return this.#child;
  }

  get status(): ChildStatus {
    const pid = this.#child?.pid ?? null;
    return { state: pid !== null ? 'running' : this.#wanted ? 'restarting' : 'stopped', pid, restarts: this.#restarts };
  }

  start(): void {
    this.#wanted = true;
    this.#spawn();
  }

  /** Ends the process without starting it again. */
  async stop(): Promise<void> {
    this.#wanted = false;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    const identity = this.#child?.pid === undefined ? null : identityOf(this.#child.pid);
    if (identity !== null) await endProcess(identity, { signal: 'SIGTERM', graceMs: this.#options.stopGraceMs });
    this.#child = null;
  }

  async restart(): Promise<void> {
    await this.stop();
    this.start();
  }

  /** Closes the channel and forgets the process, which decides itself what to finish. */
  release(): void {
    this.#wanted = false;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    const child = this.#child;
    this.#child = null;
    child?.removeAllListeners('exit');
    if (child?.connected === true) child.disconnect();
    child?.unref();
  }

  /** Runs in a timer: what cannot be done now, as on a full disk, is tried again later and ends nothing. */
  #spawn(): void {
    try {
      this.#launch();
    } catch (err) {
      if (this.#child === null) return this.#startAgain({ err });
      this.#options.logger.error({ child: this.#options.name, err }, 'child process could not be set up; ending it');
      this.#child.kill('SIGKILL');
    }
  }

  #launch(): void {
    const log = openLog(this.#options.logFile);
    const child = spawn(process.execPath, [...(this.#options.nodeArgs ?? []), this.#options.script], {
      // Its own process group: Ctrl+C in a terminal is for us to pass on, in our order.
      detached: true,
      cwd: '/',
      env: this.#options.env,
      stdio: ['ignore', log, log, 'ipc'],
      serialization: 'json',
    });
    closeSync(log);
    this.#child = child;
    this.#startedAtMs = Date.now();
    child.once('error', (err) => this.#ended(child, { err }));
    child.once('exit', (code, signal) => this.#ended(child, { code, signal }));
    this.#options.onSpawn?.(child);
  }

  #ended(child: ChildProcess, how: Readonly<Record<string, unknown>>): void {
    if (this.#child !== child) return;
    this.#child = null;
    if (this.#wanted) this.#startAgain(how);
  }

  #startAgain(how: Readonly<Record<string, unknown>>): void {
    if (Date.now() - this.#startedAtMs > STABLE_AFTER_MS) this.#delayMs = this.#restartMinMs;
    this.#options.logger.error(
      { child: this.#options.name, delayMs: this.#delayMs, ...how },
      'child process does not run; starting it again',
    );
    this.#timer = setTimeout(() => {
      this.#restarts += 1;
      this.#spawn();
    }, this.#delayMs);
    this.#delayMs = Math.min(this.#delayMs * 2, RESTART_MAX_MS);
  }
}
