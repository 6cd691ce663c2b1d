import { spawn } from 'node:child_process';
import { closeSync, existsSync, readFileSync, readlinkSync, realpathSync, rmSync } from 'node:fs';
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import type { Logger } from 'pino';
import { explainFileError, MachineFault } from '../fault.ts';
import { openLog, tailOf } from '../log-files.ts';
import { writePrivateFile } from '../private-file.ts';
import { endProcess, identityOf, isAlive, type ProcessIdentity } from '../process-identity.ts';
import { ensureCluster, SUPERUSER } from './cluster.ts';
import type { PostgresHost } from './host.ts';

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
const ORPHAN_WAIT_ATTEMPTS = 20;
const ORPHAN_WAIT_MS = 500;

/** Small: this shares a machine with the agents. Everything about durability is PostgreSQL's default. */
const settings: Readonly<Record<string, string>> = {
  listen_addresses: '',
  unix_socket_permissions: '0700',
  max_connections: '60',
  shared_buffers: '32MB',
  maintenance_work_mem: '32MB',
  max_wal_size: '256MB',
  io_method: 'sync',
  jit: 'off',
  autovacuum_max_workers: '1',
  autovacuum_worker_slots: '2',
  max_worker_processes: '2',
  max_parallel_workers: '0',
  max_logical_replication_workers: '0',
  max_wal_senders: '0',
  // After a crash: one call for the whole disk instead of one per file, which takes seconds.
  recovery_init_sync_method: 'syncfs',
  hot_standby: 'off',
  wal_level: 'minimal',
  log_timezone: 'UTC',
  TimeZone: 'UTC',
  log_line_prefix: '%m [%p] ',
};

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
      const server = this.#findRunning();
      // SIGINT is PostgreSQL's "fast" shutdown: it does not wait for clients.
      if (server !== null) await endProcess(server, { signal: 'SIGINT', graceMs: STOP_GRACE_MS });
      this.#server = null;
    });
  }

  restart(): Promise<void> {
    return this.#alone(async () => {
      const server = this.#findRunning();
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

  /** The postmaster of our files, if there is one. A pid file alone proves nothing: pids are used again. */
  #findRunning(): ProcessIdentity | null {
    const pidFile = join(this.#host.clusterDir, 'postmaster.pid');
    if (!existsSync(pidFile)) return null;
    const pid = Number(readFileSync(pidFile, 'utf8').split('\n')[0]);
    const identity = Number.isInteger(pid) && pid > 0 ? identityOf(pid) : null;
    if (identity === null) return null;
    try {
      const isOurs = readlinkSync(`/proc/${pid}/cwd`) === realpathSync(this.#host.clusterDir);
      return isOurs ? identity : null;
    } catch {
      return null;
    }
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
    const running = this.#findRunning();
    if (running !== null && this.#wasStartedLikeThis()) {
      this.#server = running;
      await this.#waitUntilReady();
      this.#options.logger.info({ pid: running.pid }, 'found the running PostgreSQL');
      return;
    }
    if (running !== null) {
      this.#options.logger.info({ pid: running.pid }, 'ending the PostgreSQL of an earlier version');
      await endProcess(running, { signal: 'SIGINT', graceMs: STOP_GRACE_MS });
    }
    await this.#launch();
  }

  /**
   * PostgreSQL heals the pid file of a dead server itself, but takes any living process with that pid for a server.
   * The file stays otherwise: it also guards against children of a killed server that are still writing.
   */
  #removeForeignPid(): void {
    const pidFile = join(this.#host.clusterDir, 'postmaster.pid');
    const pid = existsSync(pidFile) ? Number(readFileSync(pidFile, 'utf8').split('\n')[0]) : 0;
    if (pid > 0 && identityOf(pid) !== null) rmSync(pidFile, { force: true });
  }

  /** The children of a killed server need a moment to notice; until then PostgreSQL refuses to start another. */
  async #launch(): Promise<void> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        await this.#launchOnce();
        return;
      } catch (error) {
        const orphansThere = tailOf(this.#options.logFile, 1_000).includes('pre-existing shared memory block');
        if (!orphansThere || attempt >= ORPHAN_WAIT_ATTEMPTS) throw error;
        await sleep(ORPHAN_WAIT_MS);
      }
    }
  }

  async #launchOnce(): Promise<void> {
    this.#removeForeignPid();
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
    this.#server = this.#findRunning();
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
