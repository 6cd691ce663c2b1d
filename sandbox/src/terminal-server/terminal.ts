import { randomUUID } from 'node:crypto';
import { basename } from 'node:path';
import type { ClientMessage, ExitStatus, Hello, Size, Terminal as TerminalInfo } from '@sac/contracts';
import type { LaunchCommand } from '../launch-spec.ts';
import { Coalescer } from './coalescer.ts';
import { bounds } from './constants.ts';
import { Pty } from './pty.ts';
import type { Recorder } from './recording/recorder.ts';
import type { Records } from './recording/records.ts';
import { holdsClipboard, isTerminalReport } from './reports.ts';
import type { ScreenText } from './screen/screen-model.ts';
import type { Screens, Snapshot } from './screen/screens.ts';
import { hasForegroundJob } from './session-processes.ts';
import { SizeWishes } from './size-wishes.ts';
import { Tail } from './tail.ts';
import { TerminalScreen } from './terminal-screen.ts';
import type { Viewer, ViewerIdentity, ViewerLink } from './viewer.ts';
import { Viewers, type ViewedTerminal } from './viewers.ts';

/** What all terminals of a sandbox share. */
export interface TerminalParts {
  readonly screens: Screens;
  /** Null: this sandbox keeps no record. */
  readonly records: Records | null;
}

export interface TerminalEvents {
  /** Title, viewers or exit changed. */
  readonly onChange: () => void;
  /** Once, after the last output; `output` is what the screen showed, at most 8 KiB of plain text. */
  readonly onEnd: (exit: ExitStatus, output: string) => void;
}

/** How the terminal of a program that was started again is closed. */
export const startedAgain = [1012, 'started again'] as const;

const startSize: Size = { columns: bounds.defaultColumns, rows: bounds.defaultRows };

/**
 * One PTY and everything that watches it. Its life is that of its process; no viewer can end or stop it.
 * The stream of output bytes is numbered from the start of the PTY under a random id.
 */
export class Terminal implements ViewedTerminal {
  readonly name: string;
  readonly stream = randomUUID();
  readonly tail = new Tail(bounds.tailBytes, startSize);
  readonly pid: number;
  readonly startedAt = new Date();
  title = '';
  foreground: string | null = null;
  exit: ExitStatus | null = null;
  readonly #command: string;
  readonly #events: TerminalEvents;
  readonly #pty: Pty;
  readonly #screen: TerminalScreen;
  readonly #viewers: Viewers;
  readonly #recorder: Recorder | null;
  readonly #coalescer = new Coalescer((bytes) => this.#flushed(bytes));
  readonly #sizes = new SizeWishes(startSize, (size) => this.#applySize(size));
  readonly #gone = Promise.withResolvers<void>();
  #viewersBehind = false;
  #modelBehind = false;
  /** Questions before this offset had nobody to answer them, so the model does. */
  #attendedFrom = Infinity;
  #titleTimer: NodeJS.Timeout | null = null;
  #foregroundTimer: NodeJS.Timeout | null = null;
  #releaseTimer: NodeJS.Timeout | null = null;
  #retireTimer: NodeJS.Timeout | null = null;
  #closed = false;
  #busy = false;

  constructor(name: string, launch: LaunchCommand, parts: TerminalParts, events: TerminalEvents) {
    this.name = name;
    this.#events = events;
    this.#command = basename(launch.command);
    // First: where no PTY is to be had, nothing has been opened for it that somebody would have to close.
    this.#pty = new Pty(launch, startSize, {
      onData: (bytes) => this.#coalescer.push(bytes),
      onExit: (status) => this.#exited(status),
      onInputDrained: () => this.#viewers.releaseInput(),
    });
    this.pid = this.#pty.pid;
    this.#viewers = new Viewers(this);
    this.#screen = new TerminalScreen(parts.screens, this.tail, startSize, {
      onTitle: (title) => this.#setTitle(title),
      onReply: (data, offset) => this.#answer(data, offset),
      onProgress: () => this.#checkModelLag(),
    });
    this.#recorder =
      parts.records?.record({
        terminal: name,
        stream: this.stream,
        size: startSize,
        keyframe: () => this.#snapshot(bounds.keyframeBytes),
        onStopped: () => this.#viewers.announce(),
      }) ?? null;
  }

  get info(): TerminalInfo {
    return {
      name: this.name,
      title: this.title || this.#command,
      running: this.exit === null,
      viewers: this.#viewers.count,
      exit: this.exit,
      busy: this.exit === null && this.#busy,
    };
  }

  get recorded(): boolean {
    return this.#recorder?.isRecording ?? false;
  }

  get viewerCount(): number {
    return this.#viewers.count;
  }

  /** Settles when the process has ended. */
  get whenGone(): Promise<void> {
    return this.#gone.promise;
  }

  /** The caller has checked the limit of viewers. */
  attach(link: ViewerLink, identity: ViewerIdentity, hello: Hello): Viewer {
    this.#coalescer.flush();
    return this.#viewers.join(link, identity, hello);
  }

  detach(viewer: Viewer): void {
    this.#viewers.leave(viewer);
  }

  /** Some bytes of this viewer left for the kernel. */
  drained(viewer: Viewer): void {
    this.#viewers.progress(viewer);
  }

  /** @returns what was wrong with the message, for the client; null when it was fine */
  receive(viewer: Viewer, message: ClientMessage): string | null {
    switch (message.type) {
      case 'hello':
        return 'hello: sent twice';
      case 'input':
        return this.#typed(viewer, message.data);
      case 'resize':
        if (viewer.mode !== 'control') return null;
        viewer.wishedSize = message.size;
        if (this.#viewers.isOwner(viewer)) this.#sizes.wish(message.size);
        return null;
      case 'pause':
      case 'resume':
        this.#viewers.setPaused(viewer, message.type === 'pause');
        return null;
      case 'acknowledge': {
        const plausible = viewer.acknowledge(message.offset);
        this.#viewers.progress(viewer);
        return plausible ? null : `acknowledge: ${message.offset} is more than the ${viewer.sent} bytes sent`;
      }
      case 'takeOwnership':
        return this.#viewers.take(viewer) ? null : 'take ownership: refused in view mode';
      case 'echoRequest':
        viewer.echo(message.payload);
        return null;
      case 'recordingRequest':
        return 'recording request: this connection watches; its hello has to say recording';
    }
  }

  /** Input from the product, whole and in order with what viewers type. False: the queue is full or the process has ended. */
  input(data: Uint8Array): boolean {
    this.#coalescer.noteInput();
    return this.#pty.write(data);
  }

  screen(): Promise<ScreenText> {
    this.#coalescer.flush();
    return this.#screen.text();
  }

  takeSnapshot(): Promise<Snapshot> {
    return this.#snapshot(bounds.snapshotBytes);
  }

  /** HUP now, KILL after the grace time. */
  end(): void {
    this.#pty.end();
  }

  /** Forgets the terminal: viewers still here are told with this code. Ends the process if it runs. */
  close(code: number, reason: string): void {
    this.#closed = true;
    this.end();
    this.#coalescer.flush();
    this.#viewers.close(code, reason);
    void this.#recorder?.close();
    this.#screen.close();
    this.#sizes.close();
    for (const timer of [this.#titleTimer, this.#foregroundTimer, this.#releaseTimer, this.#retireTimer])
      if (timer !== null) clearTimeout(timer);
    this.#retireTimer = null;
  }

  /** Its process has ended and another terminal takes its name: who still reads the rest may do so for a while. */
  retire(): void {
    if (this.#viewers.count === 0) return this.close(...startedAgain);
    this.#retireTimer = setTimeout(() => this.close(...startedAgain), bounds.farewellMs);
  }

  setViewersBehind(behind: boolean): void {
    this.#viewersBehind = behind;
    this.#pace();
  }

  ownerChanged(owner: Viewer | null): void {
    if (owner !== null && owner.wishedSize !== null) this.#sizes.wish(owner.wishedSize);
  }

  answererChanged(present: boolean): void {
    this.#attendedFrom = present ? this.tail.end : Infinity;
  }

  viewersChanged(): void {
    if (this.#retireTimer !== null && this.#viewers.count === 0) this.close(...startedAgain);
    this.#events.onChange();
  }

  #snapshot(maxBytes: number): Promise<Snapshot> {
    this.#coalescer.flush();
    return this.#screen.snapshot(maxBytes);
  }

  #typed(viewer: Viewer, data: Uint8Array): string | null {
    if (viewer.mode !== 'control') return 'input: refused in view mode';
    if (this.exit !== null) return null;
    if (holdsClipboard(data) || (isTerminalReport(data) && !this.#viewers.mayAnswer(viewer))) return null;
    viewer.lastActiveMs = performance.now();
    if (!this.input(data)) return `input: more than ${bounds.inputQueueBytes} bytes wait for the program to read them`;
    if (this.#pty.queuedInputBytes > bounds.inputHighWaterBytes) this.#viewers.holdInput();
    return null;
  }

  #flushed(bytes: Buffer): void {
    if (this.#closed) return;
    const from = this.tail.end;
    this.tail.append(bytes);
    this.#screen.write(bytes);
    this.#viewers.broadcast(bytes, from, this.tail.end);
    this.#recorder?.output(bytes);
    this.#checkModelLag();
    this.#foregroundTimer ??= setTimeout(() => this.#lookAtForeground(), bounds.foregroundIntervalMs);
  }

  /** The model must not fall behind what the tail can replay to it and after it. */
  #checkModelLag(): void {
    const limit = this.#viewers.snapshotsDue > 0 ? bounds.modelLagDuringSnapshotBytes : bounds.modelLagBytes;
    this.#modelBehind = this.#screen.lagBytes > (this.#modelBehind ? limit / 2 : limit);
    this.#pace();
  }

  #pace(): void {
    if (this.#viewersBehind || this.#modelBehind) this.#pty.pause();
    else this.#pty.resume();
  }

  #answer(data: Uint8Array, offset: number): void {
    if (offset < this.#attendedFrom && this.exit === null) this.#pty.write(data);
  }

  #setTitle(title: string): void {
    this.title = title;
    this.#titleTimer ??= setTimeout(() => {
      this.#titleTimer = null;
      this.#viewers.sendTitle(this.title);
      this.#events.onChange();
    }, bounds.titleIntervalMs);
  }

  #lookAtForeground(): void {
    this.#foregroundTimer = null;
    const busy = this.exit === null && hasForegroundJob(this.pid);
    if (busy !== this.#busy) {
      this.#busy = busy;
      this.#events.onChange();
    }
    const program = this.#pty.foreground();
    const now = program === null ? null : basename(program).slice(0, bounds.titleCharacters);
    if (now === this.foreground) return;
    this.foreground = now;
    this.#viewers.announce();
  }

  #applySize(size: Size): void {
    if (this.exit !== null) return;
    this.#coalescer.flush();
    this.tail.resize(size);
    this.#screen.resize(size);
    this.#pty.resize(size);
    this.#recorder?.resized(size);
    this.#viewers.advanceAll();
  }

  #exited(status: ExitStatus): void {
    this.#coalescer.flush();
    this.exit = status;
    this.foreground = null;
    this.#gone.resolve();
    if (this.#closed) return;
    this.#viewers.releaseInput();
    void this.#reportEnd(status);
    void this.#recorder?.exited(status);
    this.#viewers.finish();
    this.#releaseTimer = setTimeout(() => this.tail.release(), bounds.endedTailMs);
  }

  async #reportEnd(status: ExitStatus): Promise<void> {
    const output = await this.#screen.keepLast();
    this.#events.onEnd(status, output);
    this.#events.onChange();
  }
}
