import { mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { randomBytes } from 'node:crypto';
import type { CliInfo, CliName } from '@sac/contracts';
import type { Logger } from 'pino';
import { CliInstallError, installFailure } from './cli-install-error.ts';
import { entryIsWhole, findOnPath } from './cli-on-path.ts';
import { cliPins, shellInfo, type CliPin, type InstallableCli } from './cli-pins.ts';
import { folderBytes, makeReadableForAll } from './folder.ts';
import { withInstallLock } from './install-lock.ts';
import { runCommand } from './run-command.ts';

const INSTALL_TIMEOUT_MS = 20 * 60_000;
const FINISH_TIMEOUT_MS = 2 * 60_000;
const PROGRESS_EVERY_MS = 400;

export interface InstallProgress {
  readonly doneBytes: number;
  readonly totalBytes: number;
}
export type ProgressListener = (progress: InstallProgress) => void;

export interface CliCatalogOptions {
  /** `<data>/clis`; one folder per CLI and version. */
  readonly dir: string;
  readonly nodePath: string;
  readonly npmPath: string;
  /** Environment of npm: proxies, HOME with its configuration, and PATH, which is also searched for installed CLIs. */
  readonly env: Readonly<Record<string, string>>;
  readonly logger: Logger;
}

interface Installation {
  readonly done: Promise<{ dir: string }>;
  readonly listeners: Set<ProgressListener>;
}

const isInstallable = (name: CliName): name is InstallableCli => name !== 'shell';

/** The CLIs an agent can run: which there are, and putting one on this machine once. */
export class CliCatalog {
  readonly #options: CliCatalogOptions;
  readonly #running = new Map<InstallableCli, Installation>();
  readonly #closing = new AbortController();

  constructor(options: CliCatalogOptions) {
    this.#options = options;
  }

  list(): CliInfo[] {
    const infos = Object.entries(cliPins).map(([name, pin]) => ({
      name: name as InstallableCli,
      title: pin.title,
      version: pin.version,
      installed: existsSync(this.#finalDir(name, pin)),
      note: pin.note,
    }));
    return [...infos, shellInfo];
  }

  /**
   * Folder whose `node_modules` holds the pinned CLI; installs it when needed. Concurrent callers share one
   * installation; a caller that aborts only stops waiting. @throws CliInstallError, AbortError
   */
  async ensureInstalled(name: CliName, onProgress: ProgressListener, signal: AbortSignal): Promise<{ dir: string }> {
    if (!isInstallable(name)) throw new Error(`${name} needs no installation.`);
    signal.throwIfAborted();
    const installation = this.#running.get(name) ?? this.#begin(name);
    installation.listeners.add(onProgress);
    let stopWaiting = (): void => undefined;
    const aborted = new Promise<never>((_resolve, reject) => {
      stopWaiting = () => reject(signal.reason instanceof Error ? signal.reason : new Error('aborted'));
      signal.addEventListener('abort', stopWaiting, { once: true });
    });
    try {
      return await Promise.race([installation.done, aborted]);
    } finally {
      signal.removeEventListener('abort', stopWaiting);
      installation.listeners.delete(onProgress);
    }
  }

  /** Ends a running installation; what it left is swept at the next one. */
  async close(): Promise<void> {
    this.#closing.abort();
    await Promise.allSettled([...this.#running.values()].map(({ done }) => done));
  }

  #begin(name: InstallableCli): Installation {
    const listeners = new Set<ProgressListener>();
    const report: ProgressListener = (progress) => listeners.forEach((listener) => listener(progress));
    const done = this.#findOrInstall(name, cliPins[name], report).finally(() => this.#running.delete(name));
    // Every waiting caller may have gone; the failure then has no other reader.
    done.catch(() => undefined);
    const installation = { done, listeners };
    this.#running.set(name, installation);
    return installation;
  }

  #finalDir(name: string, pin: CliPin): string {
    return join(this.#options.dir, `${name}-${pin.version}`);
  }

  async #findOrInstall(name: InstallableCli, pin: CliPin, report: ProgressListener): Promise<{ dir: string }> {
    const dir = this.#finalDir(name, pin);
    if (await entryIsWhole(dir, pin)) return { dir };
    const onPath = await findOnPath(pin, this.#options.env['PATH'] ?? '');
    if (onPath !== null) return { dir: onPath };
    try {
      await mkdir(this.#options.dir, { recursive: true, mode: 0o755 });
      await withInstallLock(`${dir}.lock`, this.#closing.signal, async () => {
        // Another process may have finished it while this one waited for the lock.
        if (!(await entryIsWhole(dir, pin))) await this.#install(dir, pin, report);
      });
      return { dir };
    } catch (error) {
      if (error instanceof CliInstallError) throw error;
      throw new CliInstallError(installFailure(pin.title, error instanceof Error ? error.message : String(error), ''), {
        cause: error,
      });
    }
  }

  async #install(dir: string, pin: CliPin, report: ProgressListener): Promise<void> {
    const startedAt = Date.now();
    await this.#sweep(dir);
    const temporary = `${dir}.${randomBytes(6).toString('hex')}.tmp`;
    await mkdir(temporary, { mode: 0o755 });
    const timer = setInterval(() => {
      folderBytes(temporary).then(
        (doneBytes) => report({ doneBytes: Math.min(doneBytes, pin.installedBytes), totalBytes: pin.installedBytes }),
        () => undefined,
      );
    }, PROGRESS_EVERY_MS);
    try {
      await this.#fill(temporary, pin);
      await makeReadableForAll(temporary);
      // Only an incomplete one can be in the way: a complete one was used above.
      await rm(dir, { recursive: true, force: true });
      await rename(temporary, dir);
      this.#options.logger.info(
        { cli: pin.packageName, version: pin.version, durationMs: Date.now() - startedAt },
        'CLI installed',
      );
    } finally {
      clearInterval(timer);
      await rm(temporary, { recursive: true, force: true });
    }
  }

  async #fill(temporary: string, pin: CliPin): Promise<void> {
    const { npmPath, nodePath, env } = this.#options;
    await writeFile(join(temporary, 'package.json'), '{"private":true}\n');
    // npm runs on the first `node` of its search path: ours, not an old one of the machine.
    const npmEnv = { ...env, PATH: `${dirname(nodePath)}:${env['PATH'] ?? '/usr/bin:/bin'}` };
    const flags = [
      '--no-save',
      '--no-package-lock',
      '--ignore-scripts',
      '--no-audit',
      '--no-fund',
      '--no-progress',
      '--no-update-notifier',
      '--loglevel=error',
    ];
    await this.#run(pin, npmPath, ['install', ...flags, '--prefix', temporary, `${pin.packageName}@${pin.version}`], {
      cwd: temporary,
      env: npmEnv,
      timeoutMs: INSTALL_TIMEOUT_MS,
    });
    if (pin.finishScript !== null) {
      const folder = join(temporary, 'node_modules', pin.packageName);
      await this.#run(pin, nodePath, [pin.finishScript], {
        cwd: folder,
        env: { PATH: '/usr/bin:/bin', HOME: temporary },
        timeoutMs: FINISH_TIMEOUT_MS,
      });
    }
    if (!(await entryIsWhole(temporary, pin))) {
      throw new CliInstallError(
        installFailure(pin.title, 'its program for this machine is missing after the installation', ''),
      );
    }
  }

  async #run(
    pin: CliPin,
    command: string,
    args: readonly string[],
    options: { cwd: string; env: Record<string, string>; timeoutMs: number },
  ): Promise<void> {
    const { problem, output } = await runCommand({ command, args, ...options, signal: this.#closing.signal });
    if (problem !== null) throw new CliInstallError(installFailure(pin.title, problem, output));
  }

  /** Removes what interrupted installations of this CLI left. The lock is held, so no other process makes one now. */
  async #sweep(dir: string): Promise<void> {
    const prefix = `${dir.slice(dir.lastIndexOf('/') + 1)}.`;
    for (const name of await readdir(this.#options.dir)) {
      if (name.startsWith(prefix) && name.endsWith('.tmp'))
        await rm(join(this.#options.dir, name), { recursive: true, force: true });
    }
  }
}
