import { spawn } from 'node:child_process';
import { closeSync, existsSync, readFileSync } from 'node:fs';
import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import type { Logger } from 'pino';
import { lostMount } from '../../lib/lost-mount.ts';
import { explainFileError, MachineFault } from '../fault.ts';
import { openLog, tailOf } from '../log-files.ts';
import { writePrivateFile } from '../private-file.ts';
import { endProcess, isAlive, type ProcessIdentity } from '../process-identity.ts';
import { ensureCluster, SUPERUSER } from './cluster.ts';
import type { PostgresHost } from './host.ts';
import { postmasterOf, removeForeignPid } from './postmaster.ts';
import { settings } from './settings.ts';

const DATABASE = 'sac';
const WATCH_INTERVAL_MS = 250;
const RESTART_MIN_MS = 200;
const RESTART_MAX_MS = 10_000;
/** A server that ran this long is healthy; the next crash starts again with the short delay. */
const STABLE_AFTER_MS = 60_000;
/** Replaying the log after a crash may take minutes; the server answers "starting up" during that time. */
const READY_TIMEOUT_MS = 600_000;
const STOP_GRACE_MS = 30_000;
/** Every start answers "starting up" for a moment; only a long one is worth a word. */
const ANNOUNCE_REPAIR_AFTER_MS = 3_000;
const READY_POLL_MIN_MS = 20;
const READY_POLL_MAX_MS = 500;
/** PostgreSQL's words for children that still run, and for a dead server that nobody has reaped. */
const NOT_GONE_YET = /pre-existing shared memory block|lock file "postmaster\.pid" already exists/;
const ORPHAN_WAIT_ATTEMPTS = 20;
const ORPHAN_WAIT_MS = 500;

export interface PostgresStatus {
  readonly state: 'running' | 'restarting' | 'stopped';
  readonly pid: number | null;
  readonly version: string;
  /** How often it had to be started again since this process began to look after it. */
  readonly restarts: number;
}

export interface EmbeddedPostgresOptions {
  readonly host: PostgresHost;
  readonly logFile: string;
  /** Remembers with which arguments the running server was started. */
  readonly stateFile: string;
  readonly logger: Logger;
  readonly onProgress?: (message: string) => void;
}

/**
 * The database server of one machine. It runs detached: `sac` may end and come back while it goes on, and finds it
 * again. While watched it is started again whenever it dies.
 */
export class EmbeddedPostgres {
  readonly #options: EmbeddedPostgresOptions;
  readonly #host: PostgresHost;
  #server: ProcessIdentity | null = null;
  #watcher: NodeJS.Timeout | null = null;
  #lastWork: Promise<void> = Promise.resolve();
  #waiting = 0;
  #restarts = 0;
  #delayMs = RESTART_MIN_MS;
  #startedAtMs = 0;

  constructor(options: EmbeddedPostgresOptions) {
    this.#options = options;
    this.#host = options.host;
  }

  /** For `pg`: the database of the product. */
  get url(): string {
    return this.#urlOf(DATABASE);
  }

  get status(): PostgresStatus {
    const running = this.#server !== null && isAlive(this.#server);
    const state = running ? 'running' : this.#watcher === null ? 'stopped' : 'restarting';
    return {
      state,
      pid: running ? (this.#server?.pid ?? null) : null,
      version: this.#host.programs.version,
      restarts: this.#restarts,
    };
  }

  /** Adopts the running server or starts one; resolves when it answers. Throws `MachineFault`. */
  async start(): Promise<void> {
    await ensureCluster(this.#host);
    await this.#adoptOrLaunch();
    await this.#ensureDatabase();
  }

  /** Starts it again whenever it dies, until `release` or `stop`. */
  watch(): void {
    this.#watcher ??= setInterval(() => this.#check(), WATCH_INTERVAL_MS);
  }

  /** Lets go of the server; it goes on. */
  release(): void {
    if (this.#watcher !== null) clearInterval(this.#watcher);
    this.#watcher = null;
  }

  /** Ends the server cleanly; open transactions are rolled back. */
  async stop(): Promise<void> {
    this.release();
    await this.#alone(async () => {
      const server = postmasterOf(this.#host.clusterDir);
      // SIGINT is PostgreSQL's "fast" shutdown: it does not wait for clients.
      if (server !== null) await endProcess(server, { signal: 'SIGINT', graceMs: STOP_GRACE_MS });
      this.#server = null;
    });
  }

  restart(): Promise<void> {
    return this.#alone(async () => {
      const server = postmasterOf(this.#host.clusterDir);
      if (server !== null) await endProcess(server, { signal: 'SIGINT', graceMs: STOP_GRACE_MS });
      await this.#adoptOrLaunch();
    });
  }

  /** Starting and ending wait for each other: two starts at once would fight for the files. */
  async #alone(work: () => Promise<void>): Promise<void> {
    const before = this.#lastWork;
    const mine = Promise.withResolvers<void>();
    this.#lastWork = mine.promise;
    this.#waiting += 1;
    try {
      await before;
      await work();
    } finally {
      this.#waiting -= 1;
      mine.resolve();
    }
  }

  #urlOf(database: string): string {
    return `postgresql:///${database}?host=${encodeURIComponent(this.#host.socketDir)}&user=${SUPERUSER}`;
  }

  #serverArgs(): string[] {
    const flags = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
    return ['-D', this.#host.clusterDir, '-k', this.#host.socketDir, ...flags];
  }

  #digest(): string {
    return createHash('sha256')
      .update(JSON.stringify([this.#host.programs.postgres, this.#serverArgs()]))
      .digest('hex');
  }

  #wasStartedLikeThis(): boolean {
    const { stateFile } = this.#options;
    return existsSync(stateFile) && readFileSync(stateFile, 'utf8').trim() === this.#digest();
  }

  async #adoptOrLaunch(): Promise<void> {
    const running = postmasterOf(this.#host.clusterDir);
    if (running !== null && this.#wasStartedLikeThis() && (await this.#adopt(running))) return;
    if (running !== null && isAlive(running)) {
      this.#options.logger.info({ pid: running.pid }, 'ending the PostgreSQL of an earlier version');
      await endProcess(running, { signal: 'SIGINT', graceMs: STOP_GRACE_MS });
    }
    await this.#launch();
  }

  /** False: it was ending, or died before it answered. */
  async #adopt(running: ProcessIdentity): Promise<boolean> {
    this.#server = running;
    try {
      await this.#waitUntilReady(() => (isAlive(running) ? null : new Error('it ended')));
    } catch (error) {
      if (isAlive(running)) throw error;
      return false;
    }
    this.#options.logger.info({ pid: running.pid }, 'found the running PostgreSQL');
    return true;
  }

  /** A killed server and its children need a moment to go; until then PostgreSQL refuses to start another. */
  async #launch(): Promise<void> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        await this.#launchOnce();
        return;
      } catch (error) {
        const said = tailOf(this.#options.logFile, 1_000);
        const passes = NOT_GONE_YET.test(said) || lostMount(said);
        if (!passes || attempt >= ORPHAN_WAIT_ATTEMPTS) throw error;
        await sleep(ORPHAN_WAIT_MS);
      }
    }
  }

  async #launchOnce(): Promise<void> {
    removeForeignPid(this.#host.clusterDir);
    writePrivateFile(this.#options.stateFile, this.#digest());
    const { file, args } = this.#host.command(this.#host.programs.postgres, this.#serverArgs());
    const log = openLog(this.#options.logFile);
    const child = spawn(file, args, {
      ...this.#host.account,
      detached: true,
      cwd: '/',
      env: { PATH: '/usr/bin:/bin', LC_ALL: 'C' },
      stdio: ['ignore', log, log],
    });
    closeSync(log);
    let failure: Error | null = null;
    child.once('error', (error) => (failure = error));
    child.once(
      'exit',
      (code, signal) => (failure ??= new Error(`it ended with ${signal ?? `exit code ${String(code)}`}`)),
    );
    child.unref();
    this.#startedAtMs = Date.now();
    await this.#waitUntilReady(() => failure);
    this.#server = postmasterOf(this.#host.clusterDir);
    this.#options.logger.info({ pid: this.#server?.pid }, 'PostgreSQL started');
  }

  async #waitUntilReady(failure: () => Error | null = () => null): Promise<void> {
    const begunAtMs = Date.now();
    const deadline = begunAtMs + READY_TIMEOUT_MS;
    let announced = false;
    let pollMs = READY_POLL_MIN_MS;
    for (;;) {
      const problem = await this.#probe();
      if (problem === null) return;
      const cause = failure();
      if (cause !== null) throw this.#explainFailure(cause);
      if (Date.now() > deadline) throw this.#explainFailure(problem);
      if (!announced && problem instanceof pg.DatabaseError && Date.now() - begunAtMs > ANNOUNCE_REPAIR_AFTER_MS) {
        announced = true;
        this.#options.onProgress?.('The database repairs itself after a crash …');
      }
      await sleep(pollMs);
      pollMs = Math.min(pollMs * 1.5, READY_POLL_MAX_MS);
    }
  }

  async #probe(): Promise<Error | null> {
    const client = new pg.Client({ connectionString: this.#urlOf('postgres'), connectionTimeoutMillis: 5_000 });
    client.on('error', () => undefined);
    try {
      await client.connect();
      await client.query('SELECT 1');
      return null;
    } catch (error) {
      return error instanceof Error ? error : new Error(String(error));
    } finally {
      await client.end().catch(() => undefined);
    }
  }

  #explainFailure(cause: Error): Error {
    const output = tailOf(this.#options.logFile, 2_000).trim();
    if (/No space left on device/i.test(output)) {
      const full = explainFileError(Object.assign(new Error(output), { code: 'ENOSPC' }), this.#host.clusterDir);
      if (full instanceof Error) return full;
    }
    return new MachineFault(
      `PostgreSQL did not start: ${cause.message}. Its last words, from ${this.#options.logFile}:\n${output}`,
      'Fix the cause named above and start again.',
      { cause },
    );
  }

  async #ensureDatabase(): Promise<void> {
    const client = new pg.Client({ connectionString: this.#urlOf('postgres') });
    client.on('error', () => undefined);
    await client.connect();
    try {
      const { rowCount } = await client.query('SELECT 1 FROM pg_database WHERE datname = $1', [DATABASE]);
      if (rowCount === 0) await client.query(`CREATE DATABASE ${DATABASE}`);
    } finally {
      await client.end();
    }
  }

  #check(): void {
    if (this.#waiting > 0 || (this.#server !== null && isAlive(this.#server))) return;
    this.#alone(() => this.#revive()).catch((err: unknown) => {
      this.#options.logger.error({ err }, 'PostgreSQL could not be started again');
    });
  }

  async #revive(): Promise<void> {
    if (Date.now() - this.#startedAtMs > STABLE_AFTER_MS) this.#delayMs = RESTART_MIN_MS;
    this.#options.logger.error({ delayMs: this.#delayMs }, 'PostgreSQL died; starting it again');
    await sleep(this.#delayMs, undefined, { ref: false });
    this.#delayMs = Math.min(this.#delayMs * 2, RESTART_MAX_MS);
    if (this.#watcher === null) return; // let go of while waiting
    this.#restarts += 1;
    await this.#adoptOrLaunch();
  }
}
