import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, existsSync, readFileSync, rmSync, statSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import { openLog } from './log-files.ts';
import { reservePort } from './port.ts';
import { writePrivateFile } from './private-file.ts';
import { endProcess, identityOf, isAlive, parseIdentity, type ProcessIdentity } from './process-identity.ts';

export interface DemoModelOptions {
  readonly script: string;
  readonly dataDir: string;
  readonly runDir: string;
  readonly logFile: string;
  readonly logger: Logger;
}

const HOST = '127.0.0.1';
const START_TIMEOUT_MS = 15_000;
const START_POLL_MS = 50;
const WATCH_INTERVAL_MS = 500;
const RESTART_MIN_MS = 200;
const RESTART_MAX_MS = 10_000;
const STOP_GRACE_MS = 3_000;

const recordFile = (runDir: string): string => join(runDir, 'demo-model.json');

interface RunningModel {
  readonly identity: ProcessIdentity;
  /** Which build it runs; another one replaces it. */
  readonly build: number;
}

const readRecord = (runDir: string): RunningModel | null => {
  try {
    const value = JSON.parse(readFileSync(recordFile(runDir), 'utf8')) as { identity?: unknown; build?: unknown };
    const identity = parseIdentity(value.identity);
    return identity !== null && isAlive(identity) ? { identity, build: Number(value.build) } : null;
  } catch {
    return null; // never started, or cut off while writing
  }
};

/** Ends the model server that was started for this data directory, by this process or an earlier one. */
export const endDemoModel = async (runDir: string): Promise<void> => {
  const running = readRecord(runDir);
  if (running !== null) await endProcess(running.identity, { signal: 'SIGTERM', graceMs: STOP_GRACE_MS });
  rmSync(recordFile(runDir), { force: true });
};

const answersAt = async (port: number): Promise<boolean> => {
  const socket = connect({ host: HOST, port });
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
};

/**
 * The scripted model server. Like a real model it must not end with `sac`: it runs detached at a port that stays,
 * because agents hold its address, and a new `sac` finds it again.
 */
export class DemoModel {
  readonly #options: DemoModelOptions;
  #port = 0;
  #running: ProcessIdentity | null = null;
  #watcher: NodeJS.Timeout | null = null;
  #isReviving = false;
  #delayMs = RESTART_MIN_MS;

  constructor(options: DemoModelOptions) {
    this.#options = options;
  }

  get url(): string {
    return `http://${HOST}:${this.#port}`;
  }

  get state(): 'running' | 'restarting' {
    return this.#running !== null && isAlive(this.#running) ? 'running' : 'restarting';
  }

  /** Finds the running one or starts it; resolves when it listens, and looks after it from then on. */
  async start(): Promise<void> {
    const { runDir, script } = this.#options;
    const running = readRecord(runDir);
    if (running !== null && running.build === statSync(script).mtimeMs) {
      this.#port = this.#rememberedPort();
      this.#running = running.identity;
    } else {
      await endDemoModel(runDir);
      this.#port = await this.#choosePort();
      await this.#launch();
    }
    this.#watcher = setInterval(() => this.#check(), WATCH_INTERVAL_MS);
  }

  /** Lets go of it; it goes on. */
  release(): void {
    if (this.#watcher !== null) clearInterval(this.#watcher);
    this.#watcher = null;
  }

  async stop(): Promise<void> {
    this.release();
    await endDemoModel(this.#options.runDir);
  }

  #portFile(): string {
    return join(this.#options.dataDir, 'demo-model.port');
  }

  #rememberedPort(): number {
    if (!existsSync(this.#portFile())) return 0;
    const port = Number(readFileSync(this.#portFile(), 'utf8').trim());
    return Number.isInteger(port) && port > 1023 && port < 65_536 ? port : 0;
  }

  async #choosePort(): Promise<number> {
    const port = await reservePort(HOST, this.#rememberedPort()).catch(() => reservePort(HOST, 0));
    writePrivateFile(this.#portFile(), String(port));
    return port;
  }

  async #launch(): Promise<void> {
    const { script, logFile, runDir } = this.#options;
    const log = openLog(logFile);
    const child = spawn(process.execPath, [script], {
      detached: true,
      cwd: '/',
      env: { SAC_DEMO_MODEL_PORT: String(this.#port) },
      stdio: ['ignore', log, log],
    });
    closeSync(log);
    child.on('error', () => undefined); // reported below, as not listening
    child.unref();
    const identity = child.pid === undefined ? null : identityOf(child.pid);
    if (identity !== null) {
      writePrivateFile(recordFile(runDir), JSON.stringify({ identity, build: statSync(script).mtimeMs }));
    }
    const deadline = Date.now() + START_TIMEOUT_MS;
    while (!(await answersAt(this.#port))) {
      if (identity === null || !isAlive(identity) || Date.now() > deadline) {
        throw new Error(`The demo model server did not start; see ${logFile}.`);
      }
      await sleep(START_POLL_MS);
    }
    this.#running = identity;
  }

  #check(): void {
    if (this.#isReviving || (this.#running !== null && isAlive(this.#running))) return;
    this.#isReviving = true;
    this.#revive()
      .catch((err: unknown) => this.#options.logger.error({ err }, 'the demo model could not be started again'))
      .finally(() => (this.#isReviving = false));
  }

  async #revive(): Promise<void> {
    this.#options.logger.error({ delayMs: this.#delayMs }, 'the demo model ended; starting it again');
    await sleep(this.#delayMs, undefined, { ref: false });
    this.#delayMs = Math.min(this.#delayMs * 2, RESTART_MAX_MS);
    if (this.#watcher === null) return; // let go of while waiting
    await this.#launch();
    this.#delayMs = RESTART_MIN_MS;
  }
}
