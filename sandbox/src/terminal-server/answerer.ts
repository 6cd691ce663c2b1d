import { bounds } from './constants.ts';
import { mayAsk } from './reports.ts';
import type { Tail } from './tail.ts';
import type { Viewer } from './viewer.ts';

/** Whose program asks. */
export interface AskingTerminal {
  readonly tail: Tail;
  /** Somebody can answer the program's questions from now on, or nobody can. */
  answererChanged(present: boolean): void;
}

const isAble = (viewer: Viewer | null): viewer is Viewer =>
  viewer !== null && viewer.mode === 'control' && viewer.phase === 'live' && !viewer.paused;

/**
 * Every attached emulator answers a program's questions, and a second answer is typing to it: so one viewer at a time is
 * listened to, the owner of the size when it can.
 */
export class Answerer {
  readonly #terminal: AskingTerminal;
  #viewer: Viewer | null = null;

  constructor(terminal: AskingTerminal) {
    this.#terminal = terminal;
  }

  /** True when this viewer is the one, and has left behind what was answered before its time. */
  isListenedTo(viewer: Viewer): boolean {
    return this.#viewer === viewer && (!viewer.extended || viewer.acknowledged >= viewer.answersFrom);
  }

  /** Call after every change of who is there, who is live and who owns the size. */
  choose(all: Iterable<Viewer>, owner: Viewer | null): void {
    const others = [...all].filter(isAble).sort((a, b) => b.lastActiveMs - a.lastActiveMs);
    const next = isAble(owner) ? owner : (others[0] ?? null);
    const before = this.#viewer;
    this.#viewer = next;
    if ((before === null) !== (next === null)) this.#terminal.answererChanged(next !== null);
  }

  /** Questions in what is replayed from `offset` on were answered when they were new; answering them again is typing. */
  answeredUpTo(offset: number): number {
    const { tail } = this.#terminal;
    const length = tail.end - offset;
    if (offset < tail.start || length > bounds.replayFrameBytes) return tail.end;
    const replayed = Buffer.allocUnsafe(length);
    tail.copy(offset, tail.end, replayed, 0);
    return mayAsk(replayed) ? tail.end : offset;
  }
}
