import { serverFrame, type Hello, type ExitStatus, type StatePayload } from '@sac/contracts';
import { Answerer, type AskingTerminal } from './answerer.ts';
import { bounds } from './constants.ts';
import { Ownership } from './ownership.ts';
import type { Snapshot } from './screen/screens.ts';
import { Viewer, type ViewerIdentity, type ViewerLink } from './viewer.ts';

/** What the viewers of a terminal need of it. */
export interface ViewedTerminal extends AskingTerminal {
  readonly stream: string;
  readonly title: string;
  readonly foreground: string | null;
  readonly exit: ExitStatus | null;
  readonly recorded: boolean;
  takeSnapshot(): Promise<Snapshot>;
  /** All who watch are behind (or no longer): the PTY has to wait (or may go on). */
  setViewersBehind(behind: boolean): void;
  /** There is a new owner of the size, or none. */
  ownerChanged(owner: Viewer | null): void;
  viewersChanged(): void;
}

/** Brings the stream of one terminal to everyone who watches it, each at their own pace. */
export class Viewers {
  readonly #terminal: ViewedTerminal;
  readonly #all = new Set<Viewer>();
  readonly #ownership: Ownership<Viewer>;
  readonly #answerer: Answerer;
  #behindTimer: NodeJS.Timeout | null = null;
  #stateTimer: NodeJS.Timeout | null = null;
  #farewellTimer: NodeJS.Timeout | null = null;
  #lastStateMs = -Infinity;
  #snapshotsDue = 0;

  constructor(terminal: ViewedTerminal) {
    this.#terminal = terminal;
    this.#answerer = new Answerer(terminal);
    this.#ownership = new Ownership((owner) => {
      terminal.ownerChanged(owner);
      this.#chooseAnswerer();
      this.announce();
    });
  }

  get count(): number {
    return this.#all.size;
  }

  get snapshotsDue(): number {
    return this.#snapshotsDue;
  }

  isOwner(viewer: Viewer): boolean {
    return this.#ownership.owner === viewer;
  }

  /** True when this viewer is the one whose emulator's answers reach the program. */
  mayAnswer(viewer: Viewer): boolean {
    return this.#answerer.isListenedTo(viewer);
  }

  join(link: ViewerLink, identity: ViewerIdentity, hello: Hello): Viewer {
    const { tail, stream, title } = this.#terminal;
    const viewer = new Viewer(link, identity, hello, tail.sizeAt(tail.end).size);
    this.#all.add(viewer);
    this.#ownership.join(viewer);
    if (title !== '') viewer.sendTitle(title);
    if (!viewer.extended) viewer.sendPreferences();
    const offset = hello.sac?.offset;
    if (hello.sac?.stream === stream && offset !== undefined && offset >= tail.start && offset <= tail.end) {
      viewer.answersFrom = this.#answerer.answeredUpTo(offset);
      viewer.resumeAt(offset, tail, stream);
      this.#sendState(viewer);
      this.advance(viewer);
    } else {
      this.#trySnapshot(viewer);
    }
    this.#changed();
    return viewer;
  }

  leave(viewer: Viewer): void {
    if (!this.#all.delete(viewer)) return;
    viewer.phase = 'ended';
    this.#ownership.leave(viewer);
    this.#changed();
    this.#checkPace();
  }

  /**
   * The program does not read: from now on nobody's input is. All at once, because what each one has under way
   * must still fit into the queue.
   */
  holdInput(): void {
    for (const viewer of this.#all) viewer.holdInput();
  }

  releaseInput(): void {
    for (const viewer of this.#all) if (viewer.releaseInput()) this.progress(viewer);
  }

  take(viewer: Viewer): boolean {
    return this.#ownership.take(viewer);
  }

  setPaused(viewer: Viewer, paused: boolean): void {
    if (viewer.paused === paused) return;
    viewer.paused = paused;
    if (!paused) viewer.answersFrom = this.#answerer.answeredUpTo(viewer.sent);
    this.#chooseAnswerer();
    this.progress(viewer);
  }

  /** New output, already appended to the tail. */
  broadcast(bytes: Uint8Array, from: number, to: number): void {
    if (this.#all.size === 0) return;
    const frame = Buffer.allocUnsafe(bytes.length + 1);
    frame[0] = serverFrame.output;
    frame.set(bytes, 1);
    for (const viewer of this.#all) {
      if (!viewer.offer(frame, from, to, this.#terminal.tail)) this.advance(viewer);
    }
    this.#checkPace();
  }

  /** The viewer acknowledged, drained, resumed: whatever it waited for may be possible now. */
  progress(viewer: Viewer): void {
    this.advance(viewer);
    this.#sendStateIfDue(viewer);
    this.#checkPace();
  }

  advance(viewer: Viewer): void {
    if (viewer.phase === 'live' && !viewer.pump(this.#terminal.tail, () => this.#sendState(viewer))) {
      viewer.phase = 'waiting';
      this.#chooseAnswerer();
    }
    this.#trySnapshot(viewer);
    if (this.#terminal.exit !== null && viewer.phase === 'live' && viewer.sent === this.#terminal.tail.end)
      this.#farewell(viewer);
  }

  advanceAll(): void {
    for (const viewer of this.#all) this.advance(viewer);
  }

  /** Tells everyone how things stand; many changes at once become one frame. */
  announce(): void {
    for (const viewer of this.#all) viewer.stateDue = true;
    const delayMs = Math.max(0, this.#lastStateMs + bounds.stateIntervalMs - performance.now());
    this.#stateTimer ??= setTimeout(() => this.#sendDueStates(), delayMs);
  }

  sendTitle(title: string): void {
    for (const viewer of this.#all) {
      if (viewer.link.bufferedBytes < bounds.replayFrameBytes) viewer.sendTitle(title);
    }
  }

  /** The process has ended: everyone gets the rest and the exit status; who does not read it in time gets only the latter. */
  finish(): void {
    for (const viewer of this.#all) viewer.paused = false;
    this.advanceAll();
    this.#checkPace();
    this.#farewellTimer = setTimeout(() => {
      for (const viewer of this.#all) this.#farewell(viewer);
    }, bounds.farewellMs);
  }

  /** Of a process that has ended everybody still hears how. */
  close(code: number, reason: string): void {
    for (const viewer of this.#all) {
      if (this.#terminal.exit !== null) this.#farewell(viewer);
      else viewer.link.close(code, reason);
      viewer.phase = 'ended';
    }
    this.#all.clear();
    this.#ownership.close();
    for (const timer of [this.#behindTimer, this.#stateTimer, this.#farewellTimer])
      if (timer !== null) clearTimeout(timer);
    this.#behindTimer = null;
    this.#stateTimer = null;
    this.#farewellTimer = null;
  }

  #trySnapshot(viewer: Viewer): void {
    if (viewer.phase !== 'waiting' || viewer.paused || !viewer.isDrained) return;
    viewer.phase = 'snapshot';
    this.#snapshotsDue++;
    this.#terminal.takeSnapshot().then(
      (snapshot) => this.#show(viewer, snapshot),
      () => this.#snapshotFailed(viewer),
    );
  }

  #show(viewer: Viewer, snapshot: Snapshot): void {
    this.#snapshotsDue--;
    if (viewer.phase !== 'snapshot') return;
    const { tail, stream } = this.#terminal;
    if (viewer.paused || snapshot.place.offset < tail.start) {
      viewer.phase = 'waiting';
      this.#trySnapshot(viewer);
      return;
    }
    viewer.answersFrom = this.#answerer.answeredUpTo(snapshot.place.offset);
    viewer.showSnapshot(snapshot, stream);
    this.#sendState(viewer);
    this.#chooseAnswerer();
    this.progress(viewer);
  }

  #snapshotFailed(viewer: Viewer): void {
    this.#snapshotsDue--;
    if (viewer.phase !== 'snapshot') return;
    viewer.link.close(1013, 'the screen could not be read; try again');
    this.leave(viewer);
  }

  #farewell(viewer: Viewer): void {
    if (viewer.phase === 'ended') return;
    this.#sendState(viewer);
    viewer.phase = 'ended';
    const { exit } = this.#terminal;
    const how = exit === null || exit.code !== null ? `code ${exit?.code ?? 0}` : exit.signal;
    viewer.link.close(1000, `process ended: ${how}`);
  }

  /** The PTY is paced by the fastest viewer, so it waits only while every live one is full; and not for long. */
  #checkPace(): void {
    const pacers = [...this.#all].filter((viewer) => viewer.phase === 'live' && !viewer.paused);
    const behind = pacers.length > 0 && pacers.every((viewer) => viewer.room <= 0);
    if (behind === (this.#behindTimer !== null)) return;
    if (behind) {
      this.#behindTimer = setTimeout(() => this.#giveUpWaiting(), bounds.allBehindMs);
    } else if (this.#behindTimer !== null) {
      clearTimeout(this.#behindTimer);
      this.#behindTimer = null;
    }
    this.#terminal.setViewersBehind(behind);
  }

  /** A frozen page never stops a program: it gets a snapshot when it reads again. */
  #giveUpWaiting(): void {
    for (const viewer of this.#all) if (viewer.phase === 'live' && !viewer.paused) viewer.phase = 'waiting';
    this.#chooseAnswerer();
    this.#checkPace();
  }

  #chooseAnswerer(): void {
    this.#answerer.choose(this.#all, this.#ownership.owner);
  }

  #changed(): void {
    this.#chooseAnswerer();
    this.announce();
    this.#terminal.viewersChanged();
  }

  #sendDueStates(): void {
    this.#stateTimer = null;
    this.#lastStateMs = performance.now();
    for (const viewer of this.#all) this.#sendStateIfDue(viewer);
  }

  /** Who does not read hears it later, so that nothing piles up; before the first sync there is nothing to say. */
  #sendStateIfDue(viewer: Viewer): void {
    const ready = viewer.stateDue && viewer.phase !== 'snapshot' && viewer.phase !== 'ended';
    if (ready && viewer.link.bufferedBytes < bounds.replayFrameBytes) this.#sendState(viewer);
  }

  #sendState(viewer: Viewer): void {
    const { owner } = this.#ownership;
    const viewers: StatePayload['viewers'] = [...this.#all].map((other) => ({
      name: other.userName,
      owner: other === owner,
      self: other === viewer,
      mode: other.mode,
    }));
    viewer.sendState({
      owner: owner === viewer,
      viewers,
      foreground: this.#terminal.foreground,
      exit: this.#terminal.exit,
      recorded: this.#terminal.recorded,
    });
  }
}
