import { closeSync, constants, openSync, readSync } from 'node:fs';
import type { ExitStatus } from '@sac/contracts';
import type { LaunchCommand, LaunchSpec, ResumeSpec } from '../launch-spec.ts';
import { startedAgain, Terminal, type TerminalParts } from './terminal.ts';

/** How often and how fast a CLI that keeps ending is started again. */
export const restartPolicy = {
  firstDelayMs: 500,
  maxDelayMs: 30_000,
  exitsUntilGivingUp: 5,
  windowMs: 60_000,
} as const;

const MAX_ID_BYTES = 128;
const CONVERSATION_ID = /^[A-Za-z0-9_-]{1,100}$/;

/** Id of the recorded conversation, when there is one. */
const readConversationId = (path: string): string | null => {
  try {
    const fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    try {
      const buffer = Buffer.alloc(MAX_ID_BYTES);
      const id = buffer.toString('utf8', 0, readSync(fd, buffer, 0, MAX_ID_BYTES, 0)).trim();
      return CONVERSATION_ID.test(id) ? id : null;
    } finally {
      closeSync(fd);
    }
  } catch {
    return null;
  }
};

/** The CLI's command line, continuing its conversation when one is recorded. */
export const withResume = (launch: LaunchCommand, resume: ResumeSpec | null): LaunchCommand => {
  const id = resume === null ? null : readConversationId(resume.idFile);
  if (resume === null || id === null) return launch;
  return { ...launch, args: [...launch.args, ...resume.args.map((argument) => argument.replaceAll('{id}', id))] };
};

export interface MainState {
  readonly running: boolean;
  readonly pid: number | null;
  readonly startedAt: string | null;
  readonly restarts: number;
  readonly gaveUp: boolean;
  readonly exit: ExitStatus | null;
  /** What the screen showed when it ended last, plain text, at most 8 KiB. */
  readonly output: string;
}

/** Keeps the CLI running in the terminal `main`. Every start is a new terminal with a new stream. */
export class MainProcess {
  readonly #spec: LaunchSpec['main'];
  readonly #parts: TerminalParts;
  readonly #onChange: () => void;
  #terminal: Terminal | null = null;
  /** The one before, while somebody reads the rest of it. */
  #retired: Terminal | null = null;
  #restarts = 0;
  #quickExits = 0;
  #exitTimes: number[] = [];
  #gaveUp = false;
  #lastExit: ExitStatus | null = null;
  #output = '';
  #timer: NodeJS.Timeout | null = null;
  #closed = false;

  constructor(spec: LaunchSpec['main'], parts: TerminalParts, onChange: () => void) {
    this.#spec = spec;
    this.#parts = parts;
    this.#onChange = onChange;
    this.#start();
  }

  get terminal(): Terminal | null {
    return this.#terminal;
  }

  get state(): MainState {
    const terminal = this.#terminal;
    const running = terminal !== null && terminal.exit === null;
    return {
      running,
      pid: running ? terminal.pid : null,
      startedAt: terminal?.startedAt.toISOString() ?? null,
      restarts: this.#restarts,
      gaveUp: this.#gaveUp,
      exit: running ? null : this.#lastExit,
      output: this.#output,
    };
  }

  /** Starts it now if it is not running, and forgets earlier failures; ends it first if it is. */
  restart(): void {
    this.#gaveUp = false;
    this.#exitTimes = [];
    this.#quickExits = 0;
    if (this.#terminal !== null && this.#terminal.exit === null) this.#terminal.end();
    else this.#startAfter(0);
  }

  /** Settles when the process has ended. */
  async close(code: number, reason: string): Promise<void> {
    this.#closed = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#retired?.close(code, reason);
    this.#terminal?.close(code, reason);
    await this.#terminal?.whenGone;
  }

  #start(): void {
    this.#timer = null;
    this.#retired?.close(...startedAgain);
    this.#retired = this.#terminal;
    this.#retired?.retire();
    const terminal = new Terminal('main', withResume(this.#spec, this.#spec.resume), this.#parts, {
      onChange: this.#onChange,
      onEnd: (exit, output) => this.#ended(terminal, exit, output),
    });
    this.#terminal = terminal;
    this.#onChange();
  }

  #ended(terminal: Terminal, exit: ExitStatus, output: string): void {
    this.#lastExit = exit;
    this.#output = output;
    // Somebody asked for a restart before the last screen was read: the next one runs already.
    if (this.#closed || terminal !== this.#terminal) return;
    const now = performance.now();
    const recent = this.#exitTimes.filter((at) => now - at < restartPolicy.windowMs);
    this.#quickExits = recent.length === 0 ? 0 : this.#quickExits + 1;
    this.#exitTimes = [...recent, now];
    if (this.#exitTimes.length >= restartPolicy.exitsUntilGivingUp) this.#gaveUp = true;
    else this.#startAfter(Math.min(restartPolicy.firstDelayMs * 2 ** this.#quickExits, restartPolicy.maxDelayMs));
    this.#onChange();
  }

  #startAfter(delayMs: number): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#restarts++;
      this.#start();
    }, delayMs);
  }
}
