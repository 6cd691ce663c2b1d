import type { Terminal as TerminalInfo } from '@sac/contracts';
import type { LaunchSpec } from '../launch-spec.ts';
import { bounds } from './constants.ts';
import { MainProcess, type MainState } from './main-process.ts';
import { Terminal, type TerminalParts } from './terminal.ts';

export interface SandboxState {
  readonly terminals: readonly TerminalInfo[];
  readonly main: MainState;
}

const SHELL_NUMBER = /^shell-([0-9]+)$/;

/** All terminals of the sandbox: `main` from the start, shells as people ask for them. */
export class Terminals {
  readonly #spec: LaunchSpec;
  readonly #parts: TerminalParts;
  readonly #shells = new Map<string, Terminal>();
  readonly #listeners = new Set<() => void>();
  readonly #main: MainProcess;
  #announced = false;
  #closed = false;

  constructor(spec: LaunchSpec, parts: TerminalParts) {
    this.#spec = spec;
    this.#parts = parts;
    this.#main = new MainProcess(spec.main, parts, () => this.#changed());
  }

  get state(): SandboxState {
    const main = this.#main.terminal;
    return {
      terminals: [...(main === null ? [] : [main.info]), ...[...this.#shells.values()].map((shell) => shell.info)],
      main: this.#main.state,
    };
  }

  find(name: string): Terminal | null {
    return name === 'main' ? this.#main.terminal : (this.#shells.get(name) ?? null);
  }

  /** Null: the limit of terminals is reached and all of them run. */
  openShell(): Terminal | null {
    if (this.#shells.size + 1 >= bounds.terminalsPerSandbox && !this.#forgetOldestEnded()) return null;
    const name = this.#freeName();
    const shell = new Terminal(name, this.#spec.shell, this.#parts, {
      onChange: () => this.#changed(),
      onEnd: () => this.#changed(),
    });
    this.#shells.set(name, shell);
    this.#changed();
    return shell;
  }

  /** Ends a shell and what runs in it. False: there is none of that name. */
  closeShell(name: string): boolean {
    const shell = this.#shells.get(name);
    if (shell === undefined) return false;
    this.#shells.delete(name);
    shell.close(1000, 'closed');
    this.#changed();
    return true;
  }

  restartMain(): void {
    this.#main.restart();
  }

  /** Calls back after changes, many at once as one. @returns function that ends it */
  watch(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Ends everything; settles when all processes have ended, which the grace time bounds. */
  async close(code: number, reason: string): Promise<void> {
    this.#closed = true;
    this.#listeners.clear();
    const shells = [...this.#shells.values()];
    for (const shell of shells) shell.close(code, reason);
    await Promise.all([this.#main.close(code, reason), ...shells.map((shell) => shell.whenGone)]);
  }

  #freeName(): string {
    const taken = new Set([...this.#shells.keys()].map((name) => Number(SHELL_NUMBER.exec(name)?.[1])));
    let number = 1;
    while (taken.has(number)) number++;
    return `shell-${number}`;
  }

  #forgetOldestEnded(): boolean {
    const ended = [...this.#shells].find(([, shell]) => shell.exit !== null);
    return ended !== undefined && this.closeShell(ended[0]);
  }

  #changed(): void {
    if (this.#announced || this.#closed) return;
    this.#announced = true;
    setImmediate(() => {
      this.#announced = false;
      for (const listener of this.#listeners) listener();
    });
  }
}
