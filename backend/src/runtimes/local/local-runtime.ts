import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { SandboxUsage, SupervisorStatus } from '@sac/contracts';
import type { Logger } from 'pino';
import type { Isolation, ObservedSandbox, Runtime, SandboxSpec } from '../runtime.ts';
import { AgentQueues } from '../agent-queues.ts';
import { Deaths } from './deaths.ts';
import { Entries, type Entry, startingEntry } from './entries.ts';
import { makeReadableForAll, removeAgentFolder } from './folder.ts';
import { notProbed, probeIsolation, type LocalIsolation } from './isolation.ts';
import { beginPhase, pendingPhases } from '../phases.ts';
import { isAgentUid, placesOf, sandboxCode, type SandboxCode } from './places.ts';
import { type CliSource, SandboxStart } from './sandbox-start.ts';
import { failureOf, killedTooOften } from './start-failure.ts';
import { endStrays } from './strays.ts';
import { TreeUsage } from './tree-usage.ts';
import { endSupervisor, SUPERVISOR_MARGIN_MS } from './supervisor-end.ts';
import {
  type LinkHandlers,
  openAnswering,
  readRecord,
  supervisorLives,
  type SupervisorLink,
  waitUntilRefused,
} from './supervisor-link.ts';

const REPLACE_GRACE_MS = 5_000;
const ADOPT_TIMEOUT_MS = 5_000;
const MAX_DEATHS = 3;

export interface LocalRuntimeOptions {
  /** Absolute; `agents/` and `logs/` lie in it. */
  readonly dataDir: string;
  /** Short absolute folder for sockets, 0700. */
  readonly runDir: string;
  readonly catalog: CliSource;
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

const sameSandbox = (observed: ObservedSandbox, spec: SandboxSpec): boolean =>
  observed.generation === spec.generation && observed.specHash === spec.specHash;

/** Sandboxes as process groups of this machine, each under a detached supervisor that outlives the server. */
class LocalRuntime implements Runtime {
  readonly kind = 'local';
  readonly #options: LocalRuntimeOptions;
  readonly #nodePath: string;
  readonly #code: SandboxCode;
  readonly #entries: Entries;
  readonly #queues: AgentQueues;
  readonly #sandboxStart: SandboxStart;
  readonly #deaths = new Deaths();
  readonly #usage = new TreeUsage();
  #isolation: LocalIsolation = notProbed;
  #closed = false;

  constructor(options: LocalRuntimeOptions) {
    this.#options = options;
    this.#nodePath = options.nodePath ?? process.execPath;
    this.#code = sandboxCode(options.sandboxDist);
    this.#entries = new Entries(options.logger);
    this.#queues = new AgentQueues(options.logger);
    this.#sandboxStart = new SandboxStart({
      ...options,
      nodePath: this.#nodePath,
      code: this.#code,
      entries: this.#entries,
    });
  }

  isolation(): Isolation {
    return this.#isolation.view;
  }

  observed(): ReadonlyMap<string, ObservedSandbox> {
    return this.#entries.observed();
  }

  onChange(listener: (sandbox: ObservedSandbox) => void): () => void {
    return this.#entries.onChange(listener);
  }

  async start(): Promise<void> {
    this.#isolation = await (this.#options.probe ?? probeIsolation)();
    await this.#openCode();
    const names = await readdir(join(this.#options.dataDir, 'agents')).catch(() => []);
    await Promise.all(names.filter(isAgentUid).map((agentUid) => this.#adopt(agentUid)));
  }

  async ensure(spec: SandboxSpec): Promise<void> {
    this.#places(spec.agentUid); // refuses what is no uid before anything is kept under it
    const current = this.#entries.get(spec.agentUid);
    if (current !== undefined && sameSandbox(current.observed, spec)) return;
    current?.starting.abort(new Error('replaced by another generation'));
    const entry = startingEntry(spec, beginPhase(pendingPhases(), 'scheduling'));
    this.#entries.put(entry);
    this.#inBackground(spec.agentUid, async () => {
      await this.#end(spec.agentUid, current?.link ?? null, REPLACE_GRACE_MS);
      await this.#startEntry(spec, entry);
    });
  }

  async stop(agentUid: string, { graceMs }: { readonly graceMs: number }): Promise<void> {
    const entry = this.#entries.get(agentUid);
    entry?.starting.abort(new Error('stopped'));
    if (entry !== undefined) this.#entries.change(entry, { state: 'stopping', since: new Date() });
    await this.#queues.add(agentUid, async () => {
      await this.#end(agentUid, entry?.link ?? null, graceMs);
      this.#deaths.forget(agentUid);
      if (entry !== undefined) this.#entries.forget(entry);
    });
  }

  async remove(agentUid: string): Promise<void> {
    await this.stop(agentUid, { graceMs: 0 });
    const { agent, paths } = this.#places(agentUid);
    await this.#queues.add(agentUid, async () => {
      if (this.#entries.get(agentUid) !== undefined) return;
      await removeAgentFolder(agent);
      for (const path of [paths.runDir, paths.logFile, `${paths.logFile}.1`])
        await rm(path, { recursive: true, force: true });
    });
  }

  async usage(agentUid: string): Promise<SandboxUsage | null> {
    const { supervisorPid = null, observed } = this.#entries.get(agentUid) ?? {};
    return supervisorPid === null || observed?.state !== 'running' ? null : this.#usage.find(supervisorPid);
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#entries.silence();
    for (const { starting, link } of this.#entries.all()) {
      starting.abort(new Error('the server is shutting down'));
      link?.close();
    }
    await this.#queues.settled();
  }

  #places(agentUid: string): ReturnType<typeof placesOf> {
    return placesOf(this.#options.dataDir, this.#options.runDir, agentUid);
  }

  /** For work nobody waits for: its failure is in the log and, when it is a start's, in `observed`. */
  #inBackground(agentUid: string, work: () => Promise<void>): void {
    this.#queues.add(agentUid, work).catch(() => undefined);
  }

  /** A strict umask at build time would keep a sandbox of another user from running our programs. */
  async #openCode(): Promise<void> {
    if (this.#isolation.configFor('probe').kind !== 'separate-user') return;
    for (const path of [...this.#code.folders, this.#nodePath]) {
      await makeReadableForAll(path).catch((error: unknown) =>
        this.#options.logger.warn({ path, err: error }, 'could not be made readable for sandboxes'),
      );
    }
  }

  async #startEntry(spec: SandboxSpec, entry: Entry): Promise<void> {
    const { agentUid, generation } = spec;
    try {
      const pid = await this.#sandboxStart.run(spec, entry, {
        isolation: this.#isolation.configFor(agentUid),
        ...this.#handlers(entry),
      });
      this.#options.logger.info({ agentUid, generation, pid }, 'supervisor started');
    } catch (error) {
      if (entry.starting.signal.aborted) return;
      this.#entries.fail(entry, failureOf(error));
    }
  }

  #handlers(entry: Entry): LinkHandlers {
    return {
      onStatus: (status) => this.#onStatus(entry, status),
      onEnd: () => this.#onEnd(entry),
    };
  }

  #onStatus(entry: Entry, status: SupervisorStatus): void {
    entry.supervisorPid = status.pid;
    // A stop that was asked for is not taken back by what the supervisor said before it heard of it.
    const state = entry.observed.state === 'stopping' ? 'stopping' : status.state;
    this.#entries.change(entry, {
      state,
      since: new Date(status.since),
      phases: status.phases,
      failure: status.failure,
      upstream: state === 'running' ? { kind: 'unix', path: status.terminalSocket } : null,
    });
  }

  #onEnd(entry: Entry): void {
    entry.link = null;
    if (entry.supervisorPid !== null) this.#usage.forget(entry.supervisorPid);
    entry.supervisorPid = null;
    const { agentUid, generation, state } = entry.observed;
    if (this.#closed || state === 'failed') return;
    // Another generation has taken its place, and what would be done about this death would be done to that one.
    const current = this.#entries.get(agentUid);
    if (current !== undefined && current !== entry) return;
    // Asked for: whoever asked waits for the process and forgets the entry.
    if (state === 'stopping') return;
    const deaths = this.#deaths.add(agentUid);
    this.#options.logger.warn({ agentUid, generation, deaths }, 'supervisor ended unexpectedly');
    this.#entries.change(entry, { state: 'stopping', since: new Date(), upstream: null });
    this.#inBackground(agentUid, () => this.#afterDeath(entry, deaths));
  }

  /** Nothing starts, and nothing is called gone, while the kernel still ends what the dead supervisor had. */
  async #afterDeath(entry: Entry, deaths: number): Promise<void> {
    const { agentUid } = entry.observed;
    await this.#end(agentUid, null, 0);
    await waitUntilRefused(`${this.#places(agentUid).paths.runDir}/terminal.sock`, SUPERVISOR_MARGIN_MS);
    if (deaths < MAX_DEATHS) return this.#entries.forget(entry);
    this.#deaths.forget(agentUid);
    this.#entries.fail(entry, killedTooOften(deaths));
  }

  /** Ends whatever supervisor an agent has, and what it leaves behind. */
  async #end(agentUid: string, link: SupervisorLink | null, graceMs: number): Promise<void> {
    const { record: recordPath } = this.#places(agentUid);
    await endSupervisor({ recordPath, link, graceMs, logger: this.#options.logger });
    if (!this.#isolation.view.isolated) await endStrays(agentUid);
  }

  /** Takes up a supervisor that an earlier server process started. */
  async #adopt(agentUid: string): Promise<void> {
    const record = await readRecord(this.#places(agentUid).record);
    if (record === null || record.agentUid !== agentUid) return;
    const { generation, pid, statusSocket } = record;
    if (!(await supervisorLives(record))) return this.#end(agentUid, null, 0);
    const entry = startingEntry(record, pendingPhases());
    entry.link = await openAnswering(statusSocket, this.#handlers(entry), ADOPT_TIMEOUT_MS);
    if (entry.link === null) {
      this.#options.logger.warn({ agentUid, pid }, 'supervisor does not answer and is ended');
      return this.#end(agentUid, null, 0);
    }
    this.#entries.put(entry);
    this.#options.logger.info({ agentUid, generation, pid }, 'sandbox found running');
  }
}

/** Makes the runtime; `start` then finds out how sandboxes can be isolated and which run. @throws when the installation is incomplete */
export const createLocalRuntime = (options: LocalRuntimeOptions): Runtime => new LocalRuntime(options);
