import { mkdir, rm } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import type { AgentFailure, SupervisorConfig, SupervisorRecord, SupervisorStatus } from '@sac/contracts';
import type { ControlState } from '../sidecar/control-client.ts';
import { Sidecar } from '../sidecar/sidecar.ts';
import { crashLoopFailure, failureOf } from './failure.ts';
import { layoutOf, type Layout } from './layout.ts';
import { SupervisorLog } from './log.ts';
import { Phases } from './phases.ts';
import { prepareCli, prepareFolders, writeAtomically, type PreparedSandbox } from './prepare.ts';
import { endMarkedProcesses, processStartTime } from './processes.ts';
import { SandboxProcess, type ProcessExit } from './sandbox-process.ts';
import { seedHomeInSandbox } from './seed-home.ts';
import { StatusServer } from './status-server.ts';

const MAX_EXITS = 5;
const EXIT_WINDOW_MS = 60_000;
const MAX_RESTART_WAIT_MS = 5_000;
/** The terminal server answers within half a second of its start; a busy machine gets more. */
const READY_DEADLINE_MS = 30_000;
const STRAY_DEADLINE_MS = 10_000;
const DEFAULT_GRACE_MS = 5_000;

/** One sandbox from its folders to its end. `run` resolves when everything is gone. */
export class Supervisor {
  readonly #config: SupervisorConfig;
  readonly #layout: Layout;
  readonly #log: SupervisorLog;
  readonly #phases: Phases;
  readonly #status: StatusServer;
  readonly #stopping = new AbortController();
  #state: SupervisorStatus['state'] = 'starting';
  #since = new Date().toISOString();
  #failure: AgentFailure | null = null;
  #graceMs = DEFAULT_GRACE_MS;
  #process: SandboxProcess | null = null;

  constructor(config: SupervisorConfig) {
    this.#config = config;
    this.#layout = layoutOf(config);
    this.#log = new SupervisorLog(config.paths.logFile);
    this.#phases = new Phases(config.phases);
    this.#status = new StatusServer(
      () => this.#currentStatus(),
      ({ graceMs }) => this.stop(graceMs),
    );
  }

  /** Asks for the end; `run` resolves when it is reached. */
  stop(graceMs = DEFAULT_GRACE_MS): void {
    if (this.#stopping.signal.aborted) return;
    this.#graceMs = graceMs;
    this.#setState('stopping');
    this.#stopping.abort();
  }

  /** Last resort of the entry point: ends what can be ended at once. */
  kill(): void {
    this.#process?.kill();
  }

  /** Returns the failure that ended it, null when it was asked to stop. */
  async run(): Promise<AgentFailure | null> {
    let sidecar: Sidecar | null = null;
    try {
      await this.#announce();
      const prepared = await this.#prepare();
      sidecar = new Sidecar({
        cli: this.#config.cli,
        gateway: {
          target: { socketPath: this.#config.internalSocketPath },
          credential: this.#config.internalCredential,
        },
        layout: this.#layout,
        activity: prepared.cli.activity,
        log: (message, fields) => this.#log.write(message, fields),
        onControlState: (state) => this.#onControlState(state),
      });
      await sidecar.start();
      await this.#keepRunning(prepared);
    } catch (error) {
      if (!this.#stopping.signal.aborted) this.#fail(failureOf(error));
    }
    await this.#process?.end(this.#graceMs);
    await sidecar?.close();
    await this.#leave();
    return this.#failure;
  }

  async #announce(): Promise<void> {
    await mkdir(this.#layout.host.runDir, { recursive: true, mode: 0o700 });
    await mkdir(this.#config.paths.state, { recursive: true, mode: 0o700 });
    await this.#status.listen(this.#layout.host.statusSocket);
    const record: SupervisorRecord = {
      pid: process.pid,
      startTime: (await processStartTime(process.pid)) ?? '',
      agentUid: this.#config.agentUid,
      generation: this.#config.generation,
      specHash: this.#config.specHash,
      statusSocket: this.#layout.host.statusSocket,
    };
    await writeAtomically(this.#layout.host.record, JSON.stringify(record), 0o600);
    this.#log.write('supervisor started', {
      generation: this.#config.generation,
      isolation: this.#config.isolation.kind,
    });
  }

  async #prepare(): Promise<PreparedSandbox> {
    this.#phases.begin('starting');
    this.#status.changed();
    if (!this.#layout.isolated) await endMarkedProcesses(this.#config.agentUid, 0, STRAY_DEADLINE_MS);
    await prepareFolders(this.#config, this.#layout);
    const prepared = await prepareCli(this.#config, this.#layout);
    this.#phases.end('starting');
    this.#phases.begin('syncing', 'Preparing the home folder');
    this.#status.changed();
    await seedHomeInSandbox(this.#config, this.#layout, prepared.cli.seed);
    this.#phases.end('syncing');
    this.#phases.begin('ready');
    this.#status.changed();
    return prepared;
  }

  /** Runs the terminal server, again after a crash, until asked to stop or until it crashes too often. */
  async #keepRunning(prepared: PreparedSandbox): Promise<void> {
    const exitTimes: number[] = [];
    while (!this.#stopping.signal.aborted) {
      const parts = { config: this.#config, layout: this.#layout, log: this.#log };
      this.#process = await SandboxProcess.start(parts, prepared.launch);
      const exit = await this.#exitOrStop(this.#process);
      if (exit === null) return;
      this.#log.write('terminal server ended', { code: exit.code, signal: exit.signal, output: exit.output });
      const now = Date.now();
      exitTimes.push(now);
      const recent = exitTimes.filter((time) => now - time < EXIT_WINDOW_MS).length;
      if (recent >= MAX_EXITS) return this.#fail(crashLoopFailure(exit, recent));
      await delay(Math.min(100 * 2 ** (recent - 1), MAX_RESTART_WAIT_MS), undefined, {
        signal: this.#stopping.signal,
      }).catch(() => undefined);
    }
  }

  async #exitOrStop(running: SandboxProcess): Promise<ProcessExit | null> {
    const { signal } = this.#stopping;
    const late = setTimeout(() => this.#killUnlessReady(running), READY_DEADLINE_MS);
    try {
      if (signal.aborted) return null;
      const stopped = new Promise<null>((resolve) =>
        signal.addEventListener('abort', () => resolve(null), { once: true }),
      );
      return await Promise.race([running.exited, stopped]);
    } finally {
      clearTimeout(late);
    }
  }

  #killUnlessReady(running: SandboxProcess): void {
    if (this.#state !== 'starting') return;
    this.#log.write('terminal server did not answer in time', { deadlineMs: READY_DEADLINE_MS });
    running.kill();
  }

  #onControlState(state: ControlState | null): void {
    if (state === null || this.#state !== 'starting') return;
    this.#phases.end('ready');
    this.#setState('running');
  }

  #fail(failure: AgentFailure): void {
    this.#failure = failure;
    this.#phases.failActive();
    this.#log.write('sandbox failed', { code: failure.code, reason: failure.reason });
    this.#setState('failed');
  }

  #setState(state: SupervisorStatus['state']): void {
    this.#state = state;
    this.#since = new Date().toISOString();
    this.#status.changed();
  }

  #currentStatus(): SupervisorStatus {
    return {
      agentUid: this.#config.agentUid,
      generation: this.#config.generation,
      specHash: this.#config.specHash,
      pid: process.pid,
      state: this.#state,
      since: this.#since,
      phases: [...this.#phases.list],
      failure: this.#failure,
      terminalSocket: this.#layout.host.terminalSocket,
    };
  }

  async #leave(): Promise<void> {
    this.#log.write('supervisor ends', { state: this.#state });
    await rm(this.#layout.host.record, { force: true });
    // Before the connection ends: who sees it end may start the next supervisor in the same folder at once.
    await rm(this.#layout.host.runDir, { recursive: true, force: true });
    await this.#status.close();
  }
}
