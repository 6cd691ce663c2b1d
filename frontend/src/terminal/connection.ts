import {
  encodeClientFrame,
  EXTENSION_VERSION,
  splitInput,
  type ClientMessage,
  type ServerMessage,
  type Size,
  type StatePayload,
  type TerminalMode,
} from '@sac/contracts';
import { Attempt } from './attempt.ts';
import { transition, type MachineEvent, type MachineState } from './connection-machine.ts';
import { Heartbeat } from './heartbeat.ts';
import { keyFrames } from './key-frames.ts';
import { OutputFlow, type ScreenSink } from './output-flow.ts';
import { judgeClose, judgeTicketFailure, type TicketFailure, type Verdict } from './reconnect-policy.ts';
import { SizeOffer } from './size-offer.ts';
import type { TerminalSocketEvents } from './socket.ts';
import { initialStatus, type TerminalStatus } from './status.ts';

export interface ConnectionOptions {
  /** What the next connection asks for; input follows it at once. Call `modeChanged` when it is another one. */
  readonly mode: () => TerminalMode;
  /** Address of a WebSocket with a fresh ticket. Rejects with what `ticketFailureOf` understands. */
  readonly requestTicket: (signal: AbortSignal) => Promise<string>;
  readonly ticketFailureOf: (error: unknown) => TicketFailure;
  readonly screen: ScreenSink;
  /** Size that fits the page now; null while that cannot be said. */
  readonly proposedSize: () => Size | null;
  readonly onStatus: (status: TerminalStatus) => void;
}

/**
 * The connection of one terminal through all its sockets. Owns the socket, the timers and the place in the
 * stream; an attempt that was replaced can no longer change anything.
 */
export class TerminalConnection {
  readonly #options: ConnectionOptions;
  readonly #flow: OutputFlow;
  readonly #heartbeat: Heartbeat;
  readonly #sizeOffer: SizeOffer;
  #machine: MachineState = { phase: 'idle' };
  #status: TerminalStatus = initialStatus;
  #attempt: Attempt | null = null;
  #retryTimer: ReturnType<typeof setTimeout> | null = null;
  #visible = true;
  /** The server was told to hold this viewer's output back. */
  #paused = false;

  constructor(options: ConnectionOptions) {
    this.#options = options;
    this.#flow = new OutputFlow({
      screen: options.screen,
      send: (message) => this.#send(message),
      onDiverged: () => this.#fail({ kind: 'retry', minimumDelayMs: 0 }),
    });
    this.#heartbeat = new Heartbeat({
      send: (payload) => this.#send({ type: 'echoRequest', payload }),
      onRoundTrip: (rttMs) => this.#update({ rttMs }),
      onSilent: () => this.#fail({ kind: 'retry', minimumDelayMs: 0 }),
      now: () => performance.now(),
    });
    this.#sizeOffer = new SizeOffer({
      proposedSize: options.proposedSize,
      send: (size) => this.#send({ type: 'resize', size }),
    });
  }

  get status(): TerminalStatus {
    return this.#status;
  }

  /** Place in the stream up to which the screen has parsed. */
  get position(): { readonly stream: string | null; readonly offset: number } {
    return this.#flow.position;
  }

  connect(): void {
    this.#dispatch({ type: 'connect' });
  }

  /** Gives up what is open and connects anew. */
  reconnect(): void {
    this.#dispatch({ type: 'reconnect' });
  }

  /** Ends everything; `connect` starts again where the screen is. */
  disconnect(): void {
    this.#dispatch({ type: 'disconnect' });
  }

  /** Online again, or looked at again: what waits tries now, what seems to live has to prove it. */
  nudge(): void {
    this.#dispatch({ type: 'nudge' });
    this.#heartbeat.probe();
  }

  /** A hidden page takes no output; that stops neither the program nor other viewers. */
  setVisible(visible: boolean): void {
    if (visible === this.#visible) return;
    this.#visible = visible;
    if (this.#machine.phase === 'live') this.#applyVisibility();
    if (visible) this.nudge();
  }

  /** False when it was not sent; keys typed while not connected are not kept for later. */
  input(data: Uint8Array, isKey = false): boolean {
    if (this.#machine.phase !== 'live' || this.#watches) return false;
    const pieces = isKey ? keyFrames(data) : splitInput(data);
    return pieces.every((piece) => this.#send({ type: 'input', data: piece }));
  }

  takeOwnership(): void {
    if (!this.#watches) this.#send({ type: 'takeOwnership' });
  }

  /** What is connected or about to be says its mode anew; the screen goes on where it is. */
  modeChanged(): void {
    const { phase } = this.#machine;
    if (phase === 'opening' || phase === 'live' || phase === 'reconnecting') this.reconnect();
  }

  /** The page's box or font changed. */
  sizeChanged(): void {
    this.#offerSize();
  }

  get #watches(): boolean {
    return this.#options.mode() === 'view';
  }

  #dispatch(event: MachineEvent): void {
    const { state, command } = transition(this.#machine, event, Date.now(), Math.random());
    this.#machine = state;
    if (command !== 'none') this.#clearAttempt();
    if (command === 'attempt') this.#startAttempt();
    if (command === 'wait' && state.phase === 'reconnecting' && state.retryAt !== null) {
      this.#retryTimer = setTimeout(() => this.#dispatch({ type: 'due' }), Math.max(0, state.retryAt - Date.now()));
    }
    this.#update({
      phase: state.phase,
      attempt: state.phase === 'reconnecting' ? state.attempt : 0,
      retryAt: state.phase === 'reconnecting' ? state.retryAt : null,
      retryReason: state.phase === 'reconnecting' ? (state.reason ?? '') : '',
      refusal: state.phase === 'refused' ? state.refusal : null,
      ...(state.phase === 'live' ? {} : { rttMs: null }),
    });
  }

  #fail(verdict: Verdict): void {
    this.#dispatch({ type: 'failed', verdict });
  }

  #startAttempt(): void {
    this.#attempt = new Attempt({
      requestTicket: this.#options.requestTicket,
      onTicketFailure: (error) => this.#fail(judgeTicketFailure(this.#options.ticketFailureOf(error))),
      onTimeout: () => this.#fail({ kind: 'retry', minimumDelayMs: 0 }),
      socket: this.#socketEvents(),
    });
  }

  #socketEvents(): TerminalSocketEvents {
    return {
      onOpen: () => this.#sayHello(),
      onMessage: (message) => {
        this.#establish();
        this.#heartbeat.heard();
        if (message.type === 'echoReply') this.#heartbeat.onReply(message.payload);
        else this.#onServerMessage(message);
      },
      onBadFrame: () => {
        this.#flow.forget();
        this.#fail({ kind: 'retry', minimumDelayMs: 1_000 });
      },
      onClose: (code, reason) => this.#fail(judgeClose(code, reason)),
    };
  }

  #sayHello(): void {
    this.#flow.restart();
    this.#paused = false;
    this.#send({
      type: 'hello',
      hello: {
        AuthToken: '',
        ...(this.#sizeOffer.first() ?? {}),
        sac: {
          version: EXTENSION_VERSION,
          mode: this.#options.mode(),
          wantsOwnership: this.#sizeOffer.wantsOwnership && !this.#watches,
          ...this.#flow.resumeFrom,
        },
      },
    });
  }

  /** The first frame is the proof: a refused ticket is a WebSocket that opens and closes. */
  #establish(): void {
    if (this.#machine.phase === 'live') return;
    this.#attempt?.succeeded();
    this.#dispatch({ type: 'established' });
  }

  /** Not for a stock ttyd: its pause does nothing, and its resume can lose output. */
  #applyVisibility(): void {
    if (this.#flow.extended !== true || this.#visible !== this.#paused) return;
    this.#paused = !this.#visible;
    this.#send({ type: this.#paused ? 'pause' : 'resume' });
    if (this.#paused) this.#heartbeat.stop();
    else this.#heartbeat.start();
  }

  #onServerMessage(message: ServerMessage): void {
    const before = this.#flow.extended;
    this.#flow.handle(message);
    if (before === null && this.#flow.extended === true) {
      this.#heartbeat.start();
      this.#applyVisibility();
    }
    if (message.type === 'title') this.#update({ title: message.title });
    if (message.type === 'sync')
      this.#update({ size: { columns: message.sync.columns, rows: message.sync.rows }, exit: null });
    if (message.type === 'state') this.#onState(message.state);
    if (this.#flow.extended !== null) this.#update({ resumable: this.#flow.extended });
  }

  #onState({ owner, viewers, columns, rows, exit, recorded = false }: StatePayload): void {
    const gained = owner && !this.#status.owner;
    const size = { columns, rows };
    // Who only watches never owns the size, and wants back what they had when they take part again.
    if (!this.#watches) this.#sizeOffer.noteOwner(owner);
    this.#update({ owner, viewers, exit, size, recorded });
    if (gained) this.#sizeOffer.offerInsteadOf(size);
    else if (owner) this.#sizeOffer.offer();
  }

  /** For the viewer that owns the size. With a stock ttyd there is nobody else to own it, and no answer. */
  #offerSize(): void {
    const plain = this.#flow.extended === false;
    if (this.#machine.phase !== 'live' || !(plain || this.#status.owner)) return;
    const size = this.#sizeOffer.offer();
    if (!plain || size === null) return;
    this.#options.screen.resize(size);
    this.#update({ size });
  }

  #send(message: ClientMessage): boolean {
    return this.#attempt?.send(encodeClientFrame(message)) ?? false;
  }

  #clearAttempt(): void {
    if (this.#retryTimer !== null) clearTimeout(this.#retryTimer);
    this.#retryTimer = null;
    this.#heartbeat.stop();
    this.#flow.stop();
    this.#attempt?.end();
    this.#attempt = null;
  }

  #update(change: Partial<TerminalStatus>): void {
    const entries = Object.entries(change) as [keyof TerminalStatus, unknown][];
    if (entries.every(([key, value]) => this.#status[key] === value)) return;
    this.#status = { ...this.#status, ...change };
    this.#options.onStatus(this.#status);
  }
}
