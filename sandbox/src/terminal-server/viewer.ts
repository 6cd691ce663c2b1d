import {
  encodeServerFrame,
  serverFrame,
  type Hello,
  type ServerMessage,
  type Size,
  type StatePayload,
} from '@sac/contracts';
import { bounds } from './constants.ts';
import type { Candidate } from './ownership.ts';
import type { Place } from './screen/messages.ts';
import type { Snapshot } from './screen/screens.ts';
import type { Tail } from './tail.ts';

/** What a viewer needs of its connection. */
export interface ViewerLink {
  send(frame: Uint8Array): void;
  /** Bytes given to `send` that the kernel has not taken yet. */
  readonly bufferedBytes: number;
  close(code: number, reason: string): void;
  /** Stops and restarts reading what the client sends. */
  pauseInput(): void;
  resumeInput(): void;
}

export interface ViewerIdentity {
  readonly userId: string;
  readonly userName: string;
  /** From the token; the hello can only give up control, never gain it. */
  readonly mode: 'control' | 'view';
}

/**
 * `waiting`: gets nothing until it has processed what it was sent, then a snapshot.
 * `snapshot`: the model has been asked. `live`: gets output. `ended`: nothing more will be sent.
 */
export type ViewerPhase = 'waiting' | 'snapshot' | 'live' | 'ended';

/** One connection's place in the stream: what was sent, what was processed, and what may be sent next. */
export class Viewer implements Candidate {
  readonly userId: string;
  readonly userName: string;
  readonly mode: 'control' | 'view';
  readonly wantsOwnership: boolean;
  readonly link: ViewerLink;
  /** False: a stock ttyd client, which gets nothing but ttyd's frames and never acknowledges. */
  readonly extended: boolean;
  readonly hello: Hello;
  lastActiveMs = performance.now();
  phase: ViewerPhase = 'waiting';
  paused = false;
  stateDue = false;
  /** Its input is not read at the moment, because the program does not read. */
  inputHeld = false;
  wishedSize: Size | null;
  /** Answers of its emulator to questions before this offset were given by somebody else. */
  answersFrom = Infinity;
  #sent = 0;
  #acknowledged = 0;
  #snapshotBytes = 0;
  #snapshotEnd = 0;
  #acknowledgesLate = false;
  #size: Size;
  #nextEvent = 0;

  constructor(link: ViewerLink, identity: ViewerIdentity, hello: Hello, size: Size) {
    this.link = link;
    this.hello = hello;
    this.userId = identity.userId;
    this.userName = identity.userName;
    this.mode = identity.mode === 'control' && hello.sac?.mode !== 'view' ? 'control' : 'view';
    this.wantsOwnership = hello.sac?.wantsOwnership ?? true;
    this.extended = hello.sac !== undefined;
    this.wishedSize =
      hello.columns !== undefined && hello.rows !== undefined ? { columns: hello.columns, rows: hello.rows } : null;
    this.#size = size;
  }

  /** Offset after the last byte sent. */
  get sent(): number {
    return this.#sent;
  }

  get acknowledged(): number {
    return this.#acknowledged;
  }

  /** Size in force at this viewer's place in the stream. */
  get size(): Size {
    return this.#size;
  }

  /**
   * What it still has to process. Its word is not enough: what waits in our own socket buffer it cannot have
   * processed. Acknowledgements that wait behind a flood of its input say nothing, so only the buffer counts then.
   */
  get unacknowledgedBytes(): number {
    if (!this.extended || this.#acknowledgesLate) return this.link.bufferedBytes;
    return Math.max(this.#sent - this.#acknowledged + this.#snapshotBytes, this.link.bufferedBytes);
  }

  get room(): number {
    return bounds.unacknowledgedBytes - this.unacknowledgedBytes;
  }

  /** Has processed everything it was sent, as far as one can know. */
  get isDrained(): boolean {
    return this.unacknowledgedBytes === 0;
  }

  /** False: the offset lies beyond what was sent. It then counts as all of it. */
  acknowledge(offset: number): boolean {
    if (offset > this.#acknowledged) this.#acknowledged = Math.min(offset, this.#sent);
    if (this.#sent - this.#acknowledged < bounds.unacknowledgedBytes) this.#acknowledgesLate = this.inputHeld;
    // A snapshot is acknowledged by its end, where the counted bytes begin.
    if (offset >= this.#snapshotEnd) this.#snapshotBytes = 0;
    return offset <= this.#sent;
  }

  holdInput(): void {
    if (this.inputHeld) return;
    this.inputHeld = true;
    this.#acknowledgesLate = true;
    this.link.pauseInput();
  }

  /** False: it was not held. */
  releaseInput(): boolean {
    if (!this.inputHeld) return false;
    this.inputHeld = false;
    this.link.resumeInput();
    return true;
  }

  /** Goes on exactly after the last byte the client had. */
  resumeAt(offset: number, tail: Tail, stream: string): void {
    this.#place({ offset, ...tail.sizeAt(offset) });
    this.#acknowledged = offset;
    this.#send({ type: 'sync', sync: { stream, offset, kind: 'resume', ...this.#size } });
    this.phase = 'live';
  }

  /** Gets the screen as of the snapshot's offset and goes on from there. */
  showSnapshot(snapshot: Snapshot, stream: string): void {
    const { offset } = snapshot.place;
    this.#place(snapshot.place);
    this.#acknowledged = offset;
    if (this.extended) {
      this.#snapshotBytes = snapshot.data.length;
      this.#snapshotEnd = offset;
      this.#send({ type: 'sync', sync: { stream, offset, kind: 'snapshot', ...this.#size } });
    }
    const type = this.extended ? serverFrame.snapshot : serverFrame.output;
    for (let from = 0; from < snapshot.data.length; from += bounds.replayFrameBytes) {
      this.link.send(Buffer.concat([Buffer.of(type), snapshot.data.subarray(from, from + bounds.replayFrameBytes)]));
    }
    this.phase = 'live';
  }

  /** Output that starts where this viewer is, already framed. False: it is not there, or has no room. */
  offer(frame: Uint8Array, from: number, to: number, tail: Tail): boolean {
    const ready = this.phase === 'live' && !this.paused && this.#sent === from && this.#nextEvent === tail.nextSequence;
    if (!ready || to - from > this.room) return false;
    this.link.send(frame);
    this.#sent = to;
    return true;
  }

  /**
   * Sends from the tail what there is room for. `onSize` writes the state frame of a size change.
   * False: the tail has moved on, only a snapshot can help.
   */
  pump(tail: Tail, onSize: () => void): boolean {
    while (this.phase === 'live' && !this.paused) {
      if (this.#sent < tail.start) return false;
      const event = tail.eventFrom(this.#nextEvent);
      if (event !== undefined && event.offset <= this.#sent) {
        this.#nextEvent = event.sequence + 1;
        this.#size = event.size;
        onSize();
        continue;
      }
      const count = Math.min(this.room, bounds.replayFrameBytes, (event?.offset ?? tail.end) - this.#sent);
      if (count <= 0) return true;
      const frame = Buffer.allocUnsafe(count + 1);
      frame[0] = serverFrame.output;
      tail.copy(this.#sent, this.#sent + count, frame, 1);
      this.#sent += count;
      this.link.send(frame);
    }
    return true;
  }

  sendState(state: Omit<StatePayload, 'columns' | 'rows' | 'offset' | 'mode'>): void {
    this.stateDue = false;
    if (this.extended)
      this.#send({ type: 'state', state: { ...state, ...this.#size, offset: this.#sent, mode: this.mode } });
  }

  sendTitle(title: string): void {
    this.#send({ type: 'title', title });
  }

  sendPreferences(): void {
    this.#send({ type: 'preferences', preferences: {} });
  }

  /** Answers an echo request, unless so much waits to be sent that answers would only pile up. */
  echo(payload: Uint8Array): void {
    if (this.link.bufferedBytes < 2 * bounds.unacknowledgedBytes) this.#send({ type: 'echoReply', payload });
  }

  #place(place: Place): void {
    this.#sent = place.offset;
    this.#size = place.size;
    this.#nextEvent = place.nextSequence;
  }

  #send(message: ServerMessage): void {
    this.link.send(encodeServerFrame(message));
  }
}
