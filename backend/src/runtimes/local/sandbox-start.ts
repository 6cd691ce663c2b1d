import type { CliName, StartPhase, SupervisorConfig } from '@sac/contracts';
import type { SandboxSpec } from '../runtime.ts';
import type { InstallProgress } from './cli-catalog.ts';
import type { Entries, Entry } from './entries.ts';
import { beginPhase, endPhase, progressPhase } from '../phases.ts';
import { placesOf, type SandboxCode } from './places.ts';
import type { LinkHandlers } from './supervisor-link.ts';
import { startSupervisor } from './supervisor-start.ts';
import { StartSlots } from './start-slots.ts';

/** More at once only makes all of them slower. */
const STARTS_AT_ONCE = 4;

export interface CliSource {
  ensureInstalled(
    name: CliName,
    onProgress: (progress: InstallProgress) => void,
    signal: AbortSignal,
  ): Promise<{ dir: string }>;
  list(): readonly { readonly name: CliName; readonly title: string; readonly version: string | null }[];
}

export interface SandboxStartOptions {
  readonly dataDir: string;
  readonly runDir: string;
  readonly catalog: CliSource;
  readonly internalSocketPath: string;
  readonly nodePath: string;
  readonly code: SandboxCode;
  readonly entries: Entries;
}

const megabytes = (bytes: number): number => Math.round(bytes / 1_000_000);

/** The way from a spec to a running supervisor: wait for a turn, install the CLI, launch. Shows each phase as it goes. */
export class SandboxStart {
  readonly #options: SandboxStartOptions;
  readonly #slots = new StartSlots(STARTS_AT_ONCE);

  constructor(options: SandboxStartOptions) {
    this.#options = options;
  }

  /**
   * Resolves with the supervisor's pid once it is connected.
   * @throws CliInstallError, SupervisorStartError, or the reason `entry.starting` was aborted with
   */
  run(
    spec: SandboxSpec,
    entry: Entry,
    { isolation, ...handlers }: LinkHandlers & Pick<SupervisorConfig, 'isolation'>,
  ): Promise<number> {
    const { signal } = entry.starting;
    return this.#slots.with(signal, async () => {
      this.#setPhases(entry, endPhase(entry.observed.phases, 'scheduling'));
      const cliDir = await this.#pull(spec.cli, entry);
      signal.throwIfAborted();
      const config = { ...this.#configOf(spec, isolation), cliDir, phases: [...entry.observed.phases] };
      const { link, pid } = await startSupervisor(this.#options.code.supervisor, config, handlers);
      entry.link = link;
      return pid;
    });
  }

  #setPhases(entry: Entry, phases: readonly StartPhase[]): void {
    this.#options.entries.change(entry, { phases });
  }

  async #pull(cli: CliName, entry: Entry): Promise<string | null> {
    const info = this.#options.catalog.list().find(({ name }) => name === cli);
    const title = `${info?.title ?? cli}${info?.version ? ` ${info.version}` : ''}`;
    this.#setPhases(entry, beginPhase(entry.observed.phases, 'pulling', title));
    let dir: string | null = null;
    if (cli !== 'shell') {
      const onProgress = (progress: InstallProgress): void => this.#showProgress(entry, title, progress);
      ({ dir } = await this.#options.catalog.ensureInstalled(cli, onProgress, entry.starting.signal));
    }
    this.#setPhases(entry, endPhase(entry.observed.phases, 'pulling'));
    return dir;
  }

  #showProgress(entry: Entry, title: string, { doneBytes, totalBytes }: InstallProgress): void {
    const detail = `${title} · ${megabytes(doneBytes)} of ${megabytes(totalBytes)} MB`;
    const progress = { done: doneBytes, total: totalBytes, unit: 'bytes' } as const;
    this.#setPhases(entry, progressPhase(entry.observed.phases, 'pulling', detail, progress));
  }

  #configOf(spec: SandboxSpec, isolation: SupervisorConfig['isolation']): Omit<SupervisorConfig, 'cliDir' | 'phases'> {
    const { dataDir, runDir, internalSocketPath, nodePath, code } = this.#options;
    return {
      ...spec,
      isolation,
      internalSocketPath,
      nodePath,
      environment: [...spec.environment],
      paths: placesOf(dataDir, runDir, spec.agentUid).paths,
      code: code.codeFor(isolation.kind !== 'none'),
    };
  }
}
