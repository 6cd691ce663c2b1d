/** Echo requests measure the round trip and find connections that are dead without knowing it. */
export interface HeartbeatOptions {
  readonly send: (payload: Uint8Array) => void;
  readonly onRoundTrip: (milliseconds: number) => void;
  /** An echo stayed away, and so did everything else: the connection is dead. */
  readonly onSilent: () => void;
  /** Monotonic milliseconds. */
  readonly now: () => number;
}

export const ECHO_INTERVAL_MS = 5_000;
/** The reply queues behind output that this page has yet to take, so it may be slow without being lost. */
const ECHO_DEADLINE_MS = 15_000;
/** After sleep or a change of network the question is whether there still is a connection at all. */
const PROBE_DEADLINE_MS = 3_000;
const PAYLOAD_BYTES = 4;

export class Heartbeat {
  readonly #options: HeartbeatOptions;
  #interval: ReturnType<typeof setInterval> | null = null;
  #deadline: ReturnType<typeof setTimeout> | null = null;
  #sequence = 0;
  #sentAt: number | null = null;
  #heardAt = -Infinity;

  constructor(options: HeartbeatOptions) {
    this.#options = options;
  }

  /** First echo at once, then every five seconds. */
  start(): void {
    this.stop();
    this.#interval = setInterval(() => this.#ask(ECHO_DEADLINE_MS), ECHO_INTERVAL_MS);
    this.#ask(ECHO_DEADLINE_MS);
  }

  stop(): void {
    if (this.#interval !== null) clearInterval(this.#interval);
    this.#interval = null;
    this.#settle();
  }

  /** Asks now and waits only shortly. */
  probe(): void {
    if (this.#interval === null) return;
    this.#settle();
    this.#ask(PROBE_DEADLINE_MS);
  }

  /** Something arrived, whatever it is: a reply queues behind output, on a slow line for longer than a probe waits. */
  heard(): void {
    this.#heardAt = this.#options.now();
  }

  onReply(payload: Uint8Array): void {
    if (this.#sentAt === null || payload.length !== PAYLOAD_BYTES) return;
    if (new DataView(payload.buffer, payload.byteOffset).getUint32(0) !== this.#sequence) return;
    const elapsed = this.#options.now() - this.#sentAt;
    this.#settle();
    this.#options.onRoundTrip(elapsed);
  }

  #ask(deadlineMs: number): void {
    if (this.#sentAt !== null) return;
    this.#sequence = (this.#sequence + 1) >>> 0;
    const payload = new Uint8Array(PAYLOAD_BYTES);
    new DataView(payload.buffer).setUint32(0, this.#sequence);
    this.#sentAt = this.#options.now();
    this.#wait(deadlineMs);
    this.#options.send(payload);
  }

  #wait(deadlineMs: number): void {
    this.#deadline = setTimeout(() => {
      const quietMs = this.#options.now() - this.#heardAt;
      if (this.#heardAt > (this.#sentAt ?? 0) && quietMs < ECHO_DEADLINE_MS)
        return this.#wait(ECHO_DEADLINE_MS - quietMs);
      this.#settle();
      this.#options.onSilent();
    }, deadlineMs);
  }

  #settle(): void {
    if (this.#deadline !== null) clearTimeout(this.#deadline);
    this.#deadline = null;
    this.#sentAt = null;
  }
}
