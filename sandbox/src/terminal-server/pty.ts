import { existsSync, writeSync } from 'node:fs';
import { createRequire } from 'node:module';
import { constants } from 'node:os';
import { ReadStream } from 'node:tty';
import type { ExitStatus, Size } from '@sac/contracts';
import type { LaunchCommand } from '../launch-spec.ts';
import { bounds } from './constants.ts';
import { signalSession } from './session-processes.ts';

/**
 * The native half of node-pty. Its JavaScript half is not used, for three reasons seen in its code and
 * by running it: it destroys the stream 200 ms after the exit even when reading is paused (the last
 * output would be lost), it allocates a buffer per read, and it writes through libuv's blocking mode,
 * which spins on the whole event loop when a program does not read its input.
 */
interface NativePty {
  fork(
    file: string,
    args: readonly string[],
    env: readonly string[],
    cwd: string,
    columns: number,
    rows: number,
    uid: number,
    gid: number,
    utf8: boolean,
    helperPath: string,
    onExit: (code: number, signal: number) => void,
  ): { fd: number; pid: number; pty: string };
  resize(fd: number, columns: number, rows: number): void;
  process(fd: number, pty: string): string | undefined;
}
const loadNative = (): NativePty => {
  const nodeRequire = createRequire(import.meta.url);
  const { requireBinary } = nodeRequire('@lydell/node-pty/requireBinary.js') as {
    requireBinary: (file: string) => NativePty;
  };
  return requireBinary('pty.node');
};
const native = loadNative();

const READ_BUFFER_BYTES = 64 * 1024;
const KEEP_USER = -1;
const RETRY_FIRST_MS = 2;
/** A program that reads makes room within microseconds; only one that does not is asked by the clock. */
const RETRIES_AT_ONCE = 16;
const RETRY_MAX_MS = 50;

/**
 * The native half leaves its master descriptors open across exec, so that a process in one terminal would hold
 * those of all others: they would outlive this server. Node cannot set the flag; bash closes them before it
 * becomes the command. Without bash the descriptors leak, which only matters when this server is killed.
 */
const bash = ['/bin/bash', '/usr/bin/bash'].find((path) => existsSync(path));
const CLOSE_AND_EXEC = [
  'for fd in /proc/self/fd/*; do fd=${fd##*/}; if ((fd > 2)); then eval "exec $fd>&-"; fi; done',
  // Not being interactive, this bash has dropped the prompts.
  'if [[ -v SAC_PS1 ]]; then export PS1=$SAC_PS1; fi; if [[ -v SAC_PS2 ]]; then export PS2=$SAC_PS2; fi',
  'unset fd SHLVL SAC_PS1 SAC_PS2; exec -- "$0" "$@"',
].join('; ');
const keptPrompts = ({ env }: LaunchCommand): Record<string, string> => ({
  ...(env['PS1'] === undefined ? {} : { SAC_PS1: env['PS1'] }),
  ...(env['PS2'] === undefined ? {} : { SAC_PS2: env['PS2'] }),
});
const withoutDescriptors = (launch: LaunchCommand): { readonly file: string; readonly args: string[] } =>
  bash === undefined
    ? { file: launch.command, args: [...launch.args] }
    : { file: bash, args: ['-c', CLOSE_AND_EXEC, launch.command, ...launch.args] };

export interface PtyEvents {
  /** `bytes` is valid only during the call. */
  readonly onData: (bytes: Uint8Array) => void;
  /** Once, after the last byte of output. */
  readonly onExit: (status: ExitStatus) => void;
  /** The input queue fell below its low-water mark. */
  readonly onInputDrained: () => void;
}

const signalNames = new Map(Object.entries(constants.signals).map(([name, number]) => [number, name]));
const codeOf = (error: unknown): string => (error instanceof Error && 'code' in error ? String(error.code) : '');

/** One process in one PTY. Owns the master descriptor. */
export class Pty {
  readonly pid: number;
  readonly #fd: number;
  readonly #name: string;
  readonly #stream: ReadStream;
  readonly #events: PtyEvents;
  readonly #input: Uint8Array[] = [];
  #queuedBytes = 0;
  #wasHigh = false;
  #retryMs = RETRY_FIRST_MS;
  #retryTimer: NodeJS.Timeout | null = null;
  #retriesAtOnce = 0;
  #retryImmediate: NodeJS.Immediate | null = null;
  #paused = false;
  #exit: ExitStatus | null = null;
  #closed = false;
  #ended = false;
  #readSinceTick = false;
  #drainTimer: NodeJS.Timeout | null = null;
  #killTimer: NodeJS.Timeout | null = null;

  /** Starts the process. A command that cannot be started shows as exit code 1 with the reason as output. */
  constructor(launch: LaunchCommand, size: Size, events: PtyEvents) {
    this.#events = events;
    const environment = {
      TERM: 'xterm-256color',
      COLORTERM: 'truecolor',
      ...launch.env,
      ...(bash === undefined ? {} : keptPrompts(launch)),
      PWD: launch.cwd,
    };
    const list = Object.entries(environment).map(([name, value]) => `${name}=${value}`);
    const { file, args } = withoutDescriptors(launch);
    const child = native.fork(
      file,
      args,
      list,
      launch.cwd,
      size.columns,
      size.rows,
      KEEP_USER,
      KEEP_USER,
      false,
      '',
      (code, signal) => this.#exited(code, signal),
    );
    this.pid = child.pid;
    this.#fd = child.fd;
    this.#name = child.pty;
    this.#stream = new ReadStream(child.fd, {
      onread: {
        buffer: Buffer.allocUnsafeSlow(READ_BUFFER_BYTES),
        callback: (count, buffer) => this.#read(buffer.subarray(0, count)),
      },
    });
    // EIO is how Linux says that the last holder of the other end has gone.
    this.#stream.on('error', () => this.#stream.destroy());
    this.#stream.on('end', () => this.#stream.destroy());
    this.#stream.on('close', () => this.#streamClosed());
    this.#stream.resume();
  }

  get queuedInputBytes(): number {
    return this.#queuedBytes;
  }

  /** Queues input as one whole. False: refused, because more than 1 MiB would wait or the process has ended. */
  write(data: Uint8Array): boolean {
    if (!this.#isOpen || this.#queuedBytes + data.length > bounds.inputQueueBytes) return false;
    if (data.length === 0) return true;
    this.#input.push(data);
    this.#queuedBytes += data.length;
    if (this.#retryTimer === null && this.#retryImmediate === null) this.#writeQueued();
    if (this.#queuedBytes > bounds.inputHighWaterBytes) this.#wasHigh = true;
    return true;
  }

  /** Stops reading: the kernel's buffer fills and the program waits. Has no effect once the process has ended. */
  pause(): void {
    if (this.#paused || this.#closed) return;
    this.#paused = true;
    if (this.#exit === null) this.#stream.pause();
  }

  resume(): void {
    if (!this.#paused || this.#closed) return;
    this.#paused = false;
    this.#stream.resume();
  }

  resize(size: Size): void {
    if (this.#isOpen) native.resize(this.#fd, size.columns, size.rows);
  }

  /** Name of the process group in the foreground, when the kernel tells. */
  foreground(): string | null {
    if (!this.#isOpen || this.#exit !== null) return null;
    try {
      return native.process(this.#fd, this.#name) ?? null;
    } catch {
      return null;
    }
  }

  /** Ends the process and all of its session: HUP now, KILL after the grace time. */
  end(): void {
    if (this.#ended || this.#killTimer !== null) return;
    signalSession(this.pid, 'SIGHUP');
    this.#killTimer = setTimeout(() => signalSession(this.pid, 'SIGKILL'), bounds.hangUpGraceMs);
  }

  /** A stream that was destroyed has given its descriptor back already, before it says so: it may be another file by now. */
  get #isOpen(): boolean {
    return !this.#closed && !this.#stream.destroyed;
  }

  #read(bytes: Uint8Array): boolean {
    this.#readSinceTick = true;
    this.#events.onData(bytes);
    return true;
  }

  #writeQueued(): void {
    this.#retryTimer = null;
    this.#retryImmediate = null;
    try {
      for (let head = this.#input[0]; head !== undefined && this.#isOpen; head = this.#input[0]) {
        const written = writeSync(this.#fd, head);
        this.#queuedBytes -= written;
        if (written === head.length) this.#input.shift();
        else this.#input[0] = head.subarray(written);
        if (written > 0) this.#wroteSome();
      }
    } catch (error) {
      if (codeOf(error) === 'EAGAIN') this.#retryLater();
      else this.#dropInput();
    }
    if (this.#wasHigh && this.#queuedBytes < bounds.inputLowWaterBytes) {
      this.#wasHigh = false;
      this.#events.onInputDrained();
    }
  }

  #wroteSome(): void {
    this.#retryMs = RETRY_FIRST_MS;
    this.#retriesAtOnce = 0;
  }

  #retryLater(): void {
    if (this.#retriesAtOnce < RETRIES_AT_ONCE) {
      this.#retriesAtOnce++;
      this.#retryImmediate = setImmediate(() => this.#writeQueued());
      return;
    }
    this.#retryTimer = setTimeout(() => this.#writeQueued(), this.#retryMs);
    this.#retryMs = Math.min(2 * this.#retryMs, RETRY_MAX_MS);
  }

  #dropInput(): void {
    if (this.#retryTimer !== null) clearTimeout(this.#retryTimer);
    if (this.#retryImmediate !== null) clearImmediate(this.#retryImmediate);
    this.#retryTimer = null;
    this.#retryImmediate = null;
    this.#input.length = 0;
    this.#queuedBytes = 0;
  }

  /** The process has ended; what it wrote may still be in the kernel, and its children may still write. */
  #exited(code: number, signal: number): void {
    this.#exit =
      signal === 0 ? { code, signal: null } : { code: null, signal: signalNames.get(signal) ?? `signal ${signal}` };
    if (this.#closed) {
      this.#finish();
      return;
    }
    this.#stream.resume();
    const deadline = performance.now() + bounds.exitDrainTotalMs;
    this.#drainTimer = setInterval(() => {
      if (!this.#readSinceTick || performance.now() > deadline) this.#stream.destroy();
      this.#readSinceTick = false;
    }, bounds.exitDrainMs);
  }

  #streamClosed(): void {
    this.#closed = true;
    this.#dropInput();
    if (this.#exit !== null) this.#finish();
    // Nothing can be seen or typed any more, so a process that lives on without its terminal is ended.
    else this.end();
  }

  #finish(): void {
    if (this.#ended || this.#exit === null) return;
    this.#ended = true;
    if (this.#drainTimer !== null) clearInterval(this.#drainTimer);
    if (this.#killTimer !== null) {
      clearTimeout(this.#killTimer);
      signalSession(this.pid, 'SIGKILL');
    }
    this.#events.onExit(this.#exit);
  }
}
