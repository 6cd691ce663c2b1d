import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { AgentFailure, CliName, StartPhase, SupervisorConfig, SupervisorStatus } from '@sac/contracts';
import type { Logger } from 'pino';
import type { Isolation, ObservedSandbox, Runtime, SandboxSpec } from '../runtime.ts';
import { CliInstallError } from './cli-install-error.ts';
import type { InstallProgress } from './cli-catalog.ts';
import { makeReadableForAll } from './folder.ts';
import { notProbed, probeIsolation, type LocalIsolation } from './isolation.ts';
import { beginPhase, endPhase, failActivePhase, pendingPhases, progressPhase } from './phases.ts';
import { placesOf, sandboxCode, type SandboxCode } from './places.ts';
import { StartSlots } from './start-slots.ts';
import { endStrays } from './strays.ts';
import { readRecord, supervisorLives, SupervisorLink, waitUntilGone, waitUntilRefused } from './supervisor-link.ts';
import { startSupervisor, SupervisorStartError } from './supervisor-start.ts';

/** More at once only makes all of them slower. */
const STARTS_AT_ONCE = 4;
const REPLACE_GRACE_MS = 5_000;
/** Beyond the grace that the sandbox got: time of the supervisor itself. */
const SUPERVISOR_MARGIN_MS = 12_000;
const ADOPT_TIMEOUT_MS = 5_000;
const MAX_DEATHS = 3;
const DEATH_WINDOW_MS = 60_000;

export interface LocalRuntimeOptions {
  /** Absolute; `agents/` and `logs/` lie in it. */
  readonly dataDir: string;
  /** Short absolute folder for sockets, 0700. */
  readonly runDir: string;
  readonly catalog: {
    ensureInstalled(
      name: CliName,
      onProgress: (progress: InstallProgress) => void,
      signal: AbortSignal,
    ): Promise<{ dir: string }>;
    list(): readonly { readonly name: CliName; readonly title: string; readonly version: string | null }[];
  };
  /** Unix socket of the gateway's internal listener. */
  readonly internalSocketPath: string;
  readonly logger: Logger;
  /** `sandbox/dist`, or the workspace `sandbox` to run from source. */
  readonly sandboxDist: string;
  /** Node that runs supervisors and is shown in sandboxes; default: this process's own. */
  readonly nodePath?: string;
  /** How to find out what isolation works here; default: by trying. */
  readonly probe?: () => Promise<LocalIsolation>;
}

/** One generation of one sandbox as this process knows it. */
interface Entry {
  observed: ObservedSandbox;
  link: SupervisorLink | null;
  /** Aborts a start that has not reached its supervisor yet. */
  readonly starting: AbortController;
}

const sameSandbox = (observed: ObservedSandbox, spec: SandboxSpec): boolean =>
  observed.generation === spec.generation && observed.specHash === spec.specHash;

/** Sandboxes as process groups of this machine, each under a detached supervisor that outlives the server. */
class LocalRuntime implements Runtime {
  readonly kind = 'local';
  readonly #options: LocalRuntimeOptions;
  readonly #code: SandboxCode;
  #isolation: LocalIsolation = notProbed;
  readonly #entries = new Map<string, Entry>();
  readonly #listeners = new Set<(sandbox: ObservedSandbox) => void>();
  readonly #queues = new Map<string, Promise<void>>();
  readonly #deaths = new Map<string, number[]>();
  readonly #slots = new StartSlots(STARTS_AT_ONCE);
  #closed = false;

  constructor(options: LocalRuntimeOptions) {
    this.#options = options;
    this.#code = sandboxCode(options.sandboxDist);
  }

  isolation(): Isolation {
    return this.#isolation.view;
  }

  observed(): ReadonlyMap<string, ObservedSandbox> {
    return new Map([...this.#entries].map(([agentUid, { observed }]) => [agentUid, observed]));
  }

  onChange(listener: (sandbox: ObservedSandbox) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async start(): Promise<void> {
    this.#isolation = await (this.#options.probe ?? probeIsolation)();
    await this.#openCode();
    const uids = await readdir(join(this.#options.dataDir, 'agents')).catch(() => []);
    await Promise.all(uids.map((agentUid) => this.#adopt(agentUid)));
  }

  /** A strict umask at build time would keep a sandbox of another user from running our programs. */
  async #openCode(): Promise<void> {
    if (this.#isolation.configFor('probe').kind !== 'separate-user') return;
    for (const path of [...this.#code.folders, this.#options.nodePath ?? process.execPath]) {
      await makeReadableForAll(path).catch((error: unknown) =>
        this.#options.logger.warn({ path, error }, 'could not be made readable for sandboxes'),
      );
    }
  }

  async ensure(spec: SandboxSpec): Promise<void> {
    const places = placesOf(this.#options.dataDir, this.#options.runDir, spec.agentUid);
    const current = this.#entries.get(spec.agentUid);
    if (current !== undefined && sameSandbox(current.observed, spec)) return;
    current?.starting.abort(new Error('replaced by another generation'));
    const entry: Entry = {
      link: null,
      starting: new AbortController(),
      observed: {
        agentUid: spec.agentUid,
        generation: spec.generation,
        specHash: spec.specHash,
        state: 'starting',
        since: new Date(),
        phases: beginPhase(pendingPhases(), 'scheduling'),
        failure: null,
        upstream: null,
      },
    };
    this.#entries.set(spec.agentUid, entry);
    this.#notify(entry.observed);
    // Its failure is in the log and, when it is the start's, in `observed`.
    this.#enqueue(spec.agentUid, async () => {
      await this.#endSupervisor(spec.agentUid, places.record, current?.link ?? null, REPLACE_GRACE_MS);
      await this.#startEntry(spec, entry);
    }).catch(() => undefined);
  }

  async stop(agentUid: string, { graceMs }: { readonly graceMs: number }): Promise<void> {
    const { record } = placesOf(this.#options.dataDir, this.#options.runDir, agentUid);
    const entry = this.#entries.get(agentUid);
    entry?.starting.abort(new Error('stopped'));
    if (entry !== undefined) this.#change(agentUid, entry, { state: 'stopping', since: new Date() });
    await this.#enqueue(agentUid, async () => {
      await this.#endSupervisor(agentUid, record, entry?.link ?? null, graceMs);
      this.#deaths.delete(agentUid);
      if (entry !== undefined) this.#forget(agentUid, entry);
    });
  }

  async remove(agentUid: string): Promise<void> {
    await this.stop(agentUid, { graceMs: 0 });
    const { agent, paths } = placesOf(this.#options.dataDir, this.#options.runDir, agentUid);
    await this.#enqueue(agentUid, async () => {
      if (this.#entries.has(agentUid)) return;
      for (const path of [agent, paths.runDir, paths.logFile, `${paths.logFile}.1`])
        await rm(path, { recursive: true, force: true });
    });
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const { starting, link } of this.#entries.values()) {
      starting.abort(new Error('the server is shutting down'));
      link?.close();
    }
    await Promise.allSettled([...this.#queues.values()]);
    this.#listeners.clear();
  }

  /** Work on one agent happens in order; the returned promise carries the outcome, the queue goes on after a failure. */
  #enqueue(agentUid: string, work: () => Promise<void>): Promise<void> {
    const done = (this.#queues.get(agentUid) ?? Promise.resolve()).then(work);
    const settled = done.catch((error: unknown) => {
      this.#options.logger.error({ agentUid, error }, 'sandbox operation failed');
    });
    this.#queues.set(agentUid, settled);
    settled
      .finally(() => {
        if (this.#queues.get(agentUid) === settled) this.#queues.delete(agentUid);
      })
      .catch(() => undefined);
    return done;
  }

  #notify(observed: ObservedSandbox): void {
    if (this.#closed) return;
    for (const listener of this.#listeners) listener(observed);
  }

  /** Changes what is seen of an entry, unless another generation has taken its place. */
  #change(agentUid: string, entry: Entry, change: Partial<ObservedSandbox>): void {
    entry.observed = { ...entry.observed, ...change };
    if (this.#entries.get(agentUid) === entry) this.#notify(entry.observed);
  }

  #forget(agentUid: string, entry: Entry): void {
    if (this.#entries.get(agentUid) !== entry) return;
    this.#entries.delete(agentUid);
    this.#notify({ ...entry.observed, state: 'gone', since: new Date(), upstream: null });
  }

  #fail(agentUid: string, entry: Entry, failure: AgentFailure): void {
    this.#options.logger.warn(
      { agentUid, generation: entry.observed.generation, code: failure.code },
      'sandbox failed',
    );
    this.#change(agentUid, entry, {
      state: 'failed',
      since: new Date(),
      failure,
      phases: failActivePhase(entry.observed.phases),
      upstream: null,
    });
  }

  #setPhases(entry: Entry, phases: readonly StartPhase[]): void {
    this.#change(entry.observed.agentUid, entry, { phases });
  }

  async #startEntry(spec: SandboxSpec, entry: Entry): Promise<void> {
    const { signal } = entry.starting;
    try {
      await this.#slots.with(signal, async () => {
        this.#setPhases(entry, endPhase(entry.observed.phases, 'scheduling'));
        const cliDir = await this.#pull(spec.cli, entry);
        signal.throwIfAborted();
        await this.#launch(spec, entry, cliDir);
      });
    } catch (error) {
      if (signal.aborted) return;
      this.#fail(spec.agentUid, entry, failureOf(error));
    }
  }

  async #pull(cli: CliName, entry: Entry): Promise<string | null> {
    const info = this.#options.catalog.list().find(({ name }) => name === cli);
    const title = `${info?.title ?? cli}${info?.version ? ` ${info.version}` : ''}`;
    this.#setPhases(entry, beginPhase(entry.observed.phases, 'pulling', title));
    let dir: string | null = null;
    if (cli !== 'shell') {
      const installed = await this.#options.catalog.ensureInstalled(
        cli,
        (progress) => this.#showProgress(entry, title, progress),
        entry.starting.signal,
      );
      dir = installed.dir;
    }
    this.#setPhases(entry, endPhase(entry.observed.phases, 'pulling'));
    return dir;
  }

  #showProgress(entry: Entry, title: string, { doneBytes, totalBytes }: InstallProgress): void {
    const megabytes = (bytes: number): number => Math.round(bytes / 1_000_000);
    const detail = `${title} · ${megabytes(doneBytes)} of ${megabytes(totalBytes)} MB`;
    this.#setPhases(
      entry,
      progressPhase(entry.observed.phases, 'pulling', detail, { done: doneBytes, total: totalBytes, unit: 'bytes' }),
    );
  }

  #configOf(spec: SandboxSpec, entry: Entry, cliDir: string | null): SupervisorConfig {
    const isolation = this.#isolation.configFor(spec.agentUid);
    return {
      ...spec,
      environment: [...spec.environment],
      internalSocketPath: this.#options.internalSocketPath,
      paths: placesOf(this.#options.dataDir, this.#options.runDir, spec.agentUid).paths,
      cliDir,
      nodePath: this.#options.nodePath ?? process.execPath,
      code: this.#code.codeFor(isolation.kind !== 'none'),
      isolation,
      phases: [...entry.observed.phases],
    };
  }

  async #launch(spec: SandboxSpec, entry: Entry, cliDir: string | null): Promise<void> {
    const handlers = {
      onStatus: (status: SupervisorStatus) => this.#onStatus(entry, status),
      onEnd: () => this.#onEnd(entry),
    };
    const { link, pid } = await startSupervisor(this.#code.supervisor, this.#configOf(spec, entry, cliDir), handlers);
    entry.link = link;
    this.#options.logger.info({ agentUid: spec.agentUid, generation: spec.generation, pid }, 'supervisor started');
  }

  #onStatus(entry: Entry, status: SupervisorStatus): void {
    // A stop that was asked for is not taken back by what the supervisor said before it heard of it.
    const state = entry.observed.state === 'stopping' ? 'stopping' : status.state;
    this.#change(status.agentUid, entry, {
      state,
      since: new Date(status.since),
      phases: status.phases,
      failure: status.failure,
      upstream: state === 'running' ? { kind: 'unix', path: status.terminalSocket } : null,
    });
  }

  #onEnd(entry: Entry): void {
    entry.link = null;
    const { agentUid, state } = entry.observed;
    if (this.#closed || state === 'failed') return;
    // Asked for: whoever asked waits for the process and forgets the entry.
    if (state === 'stopping') return;
    const now = Date.now();
    const deaths = [...(this.#deaths.get(agentUid) ?? []), now].filter((time) => now - time < DEATH_WINDOW_MS);
    this.#deaths.set(agentUid, deaths);
    this.#options.logger.warn(
      { agentUid, generation: entry.observed.generation, deaths: deaths.length },
      'supervisor ended unexpectedly',
    );
    this.#change(agentUid, entry, { state: 'stopping', since: new Date(), upstream: null });
    this.#enqueue(agentUid, () => this.#afterDeath(agentUid, entry, deaths.length)).catch(() => undefined);
  }

  /** Nothing starts, and nothing is called gone, while the kernel still ends what the dead supervisor had. */
  async #afterDeath(agentUid: string, entry: Entry, deathCount: number): Promise<void> {
    const { record, paths } = placesOf(this.#options.dataDir, this.#options.runDir, agentUid);
    await this.#endSupervisor(agentUid, record, null, 0);
    await waitUntilRefused(`${paths.runDir}/terminal.sock`, SUPERVISOR_MARGIN_MS);
    if (deathCount < MAX_DEATHS) return this.#forget(agentUid, entry);
    this.#deaths.delete(agentUid);
    this.#fail(agentUid, entry, {
      code: 'sandbox_crash_loop',
      reason: `The sandbox was ended from outside ${deathCount} times within a minute.`,
      fix: 'Look for what kills its processes (memory limits, cleaning scripts), then start the agent again.',
      output: null,
    });
  }

  /** Ends whatever supervisor an agent has, also one this process never saw start. */
  async #endSupervisor(
    agentUid: string,
    recordPath: string,
    link: SupervisorLink | null,
    graceMs: number,
  ): Promise<void> {
    const record = await readRecord(recordPath);
    if (record !== null && (await supervisorLives(record))) {
      const own =
        link ??
        (await SupervisorLink.open(record.statusSocket, { onStatus: () => undefined, onEnd: () => undefined }).catch(
          () => null,
        ));
      own?.request({ kind: 'stop', graceMs });
      if (own === null) signalPid(record.pid, 'SIGTERM');
      if (!(await waitUntilGone(record, graceMs + SUPERVISOR_MARGIN_MS))) {
        this.#options.logger.warn({ agentUid, pid: record.pid }, 'supervisor did not end in time and is killed');
        signalPid(record.pid, 'SIGKILL');
        await waitUntilGone(record, SUPERVISOR_MARGIN_MS);
      }
      own?.close();
    }
    await rm(recordPath, { force: true });
    if (!this.#isolation.view.isolated) await endStrays(agentUid);
  }

  /** Takes up a supervisor that an earlier server process started. */
  async #adopt(agentUid: string): Promise<void> {
    const { record: recordPath } = placesOf(this.#options.dataDir, this.#options.runDir, agentUid);
    const record = await readRecord(recordPath);
    if (record === null || record.agentUid !== agentUid) return;
    if (!(await supervisorLives(record))) return this.#endSupervisor(agentUid, recordPath, null, 0);
    const entry: Entry = {
      link: null,
      starting: new AbortController(),
      observed: {
        agentUid,
        generation: record.generation,
        specHash: record.specHash,
        state: 'starting',
        since: new Date(),
        phases: pendingPhases(),
        failure: null,
        upstream: null,
      },
    };
    const known = await this.#connect(record.statusSocket, entry);
    if (known) {
      this.#entries.set(agentUid, entry);
      this.#notify(entry.observed);
      this.#options.logger.info({ agentUid, generation: record.generation, pid: record.pid }, 'sandbox found running');
      return;
    }
    this.#options.logger.warn({ agentUid, pid: record.pid }, 'supervisor does not answer and is ended');
    await this.#endSupervisor(agentUid, recordPath, null, 0);
  }

  /** Resolves true after the first status. */
  async #connect(statusSocket: string, entry: Entry): Promise<boolean> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        entry.link?.close();
        resolve(false);
      }, ADOPT_TIMEOUT_MS);
      const settle = (known: boolean): void => {
        clearTimeout(timer);
        resolve(known);
      };
      const handlers = {
        onStatus: (status: SupervisorStatus) => {
          this.#onStatus(entry, status);
          settle(true);
        },
        onEnd: () => {
          settle(false);
          this.#onEnd(entry);
        },
      };
      SupervisorLink.open(statusSocket, handlers).then(
        (link) => {
          entry.link = link;
        },
        () => settle(false),
      );
    });
  }
}

const signalPid = (pid: number, signal: NodeJS.Signals): void => {
  try {
    process.kill(pid, signal);
  } catch {
    // It ended by itself meanwhile.
  }
};

const failureOf = (error: unknown): AgentFailure => {
  if (error instanceof CliInstallError) return error.failure;
  const reason = error instanceof Error ? error.message : String(error);
  if (/ENOSPC|no space left/i.test(reason)) {
    return {
      code: 'storage_full',
      reason: 'The disk that holds the data directory is full.',
      fix: 'Free some space there, then start the agent again.',
      output: null,
    };
  }
  const output = error instanceof SupervisorStartError ? error.output : null;
  return {
    code: 'sandbox_start_failed',
    reason,
    fix: "The output and the agent's log on the server say why; start it again when that is mended.",
    output,
  };
};

/** Makes the runtime; `start` then finds out how sandboxes can be isolated and which run. @throws when the installation is incomplete */
export const createLocalRuntime = (options: LocalRuntimeOptions): Runtime => new LocalRuntime(options);
