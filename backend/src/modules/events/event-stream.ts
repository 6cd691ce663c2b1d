import type { ServerResponse } from 'node:http';
import type { ServerEvent } from '@sac/contracts';
import type { Logger } from 'pino';
import type { Database } from '../../db/database.ts';
import { newestEventId } from './newest-event.ts';
import { isEventThere, readEventsAfter } from './repository.ts';

/** Of one reading; the second because an event may have 64 KiB. */
const PAGE_LIMITS = { events: 100, bytes: 256 * 1024 };
/** Who is further behind loads the lists anew: cheaper for both sides than replaying. */
const MAX_REPLAYED_EVENTS = 500;
const HEARTBEAT_MS = 15_000;
/** A reader that takes nothing for so long is gone or stuck; it reconnects and replays. */
const STALL_TIMEOUT_MS = 60_000;
/** The same for the last words of a stream: nothing else would end the connection of a reader that takes nothing. */
const END_TIMEOUT_MS = 10_000;
/** Bytes that may wait in the socket; events wait in the table, not in memory. */
const HIGH_WATER_BYTES = 256 * 1024;

export interface EventStreamOptions {
  readonly db: Database;
  readonly logger: Pick<Logger, 'warn'>;
  readonly response: ServerResponse;
  readonly userId: string;
  /** Position of the browser's last event, from Last-Event-ID; null: it wants what comes from now on. */
  readonly lastEventId: string | null;
  readonly version: string;
  /** Since when the states of agents may be old; null: they are not. */
  readonly staleSince: () => Date | null;
  readonly heartbeatMs?: number;
  /** Whether the browser session is still good. */
  readonly isAllowed: () => Promise<boolean>;
  readonly expiresAt: Date;
}

/** One browser's connection. It pulls from the outbox at the pace of its reader, so nothing piles up. */
export class EventStream {
  readonly userId: string;
  readonly #options: EventStreamOptions;
  #position = '0';
  #staleSince: string | null = null;
  /** Before that nobody knows what this browser has seen. */
  #hasPosition = false;
  #isPumping = false;
  #isPumpDue = false;
  #isClosed = false;
  #heartbeat: NodeJS.Timeout | null = null;
  #expiry: NodeJS.Timeout | null = null;
  #stall: NodeJS.Timeout | null = null;

  constructor(options: EventStreamOptions) {
    this.#options = options;
    this.userId = options.userId;
  }

  /** Sends hello or what was missed, then follows. */
  async start(): Promise<void> {
    const { response, expiresAt } = this.#options;
    response.once('close', () => this.#dispose());
    response.on('error', () => this.#dispose());
    this.#heartbeat = setInterval(() => this.#beat(), this.#options.heartbeatMs ?? HEARTBEAT_MS);
    // The token's end is the stream's end: a browser comes back with a new one and misses nothing.
    this.#expiry = setTimeout(() => this.end(), Math.max(0, expiresAt.getTime() - Date.now()));
    const isResumable = await this.#findPosition();
    this.#hasPosition = true;
    this.#write('retry: 1000\n\n');
    this.#greet(this.#position);
    if (!isResumable) this.#send({ type: 'resync' }, this.#position);
    this.wake();
  }

  /** Something may have been published. */
  wake(): void {
    this.#isPumpDue = true;
    if (!this.#hasPosition || this.#isPumping || this.#isClosed) return;
    this.#isPumping = true;
    this.#pump()
      .catch((err: unknown) => {
        // The database is away, or takes too long: the next wake-up tries again, at the latest the next heartbeat.
        this.#isPumpDue = true;
        this.#options.logger.warn({ err, userId: this.userId }, 'events could not be read');
      })
      .finally(() => {
        this.#isPumping = false;
      });
  }

  /** Some browser session of the user ended; if it was this one, says so and ends. */
  async recheck(): Promise<void> {
    if (this.#isClosed || (await this.#options.isAllowed())) return;
    this.#send({ type: 'signed-out' }, null);
    this.end();
  }

  end(): void {
    const { response } = this.#options;
    if (!this.#isClosed) {
      response.end();
      const timer = setTimeout(() => response.destroy(), END_TIMEOUT_MS);
      timer.unref();
      response.once('close', () => clearTimeout(timer));
    }
    this.#dispose();
  }

  /** Finds where to begin; false when events were missed for good. */
  async #findPosition(): Promise<boolean> {
    const { db, lastEventId } = this.#options;
    const newest = await newestEventId(db, this.userId);
    if (lastEventId === null || lastEventId === newest) {
      this.#position = newest;
      return true;
    }
    const isThere = await isEventThere(db, { userId: this.userId, id: lastEventId });
    this.#position = isThere ? lastEventId : newest;
    return isThere;
  }

  #greet(id: string | null): void {
    this.#staleSince = this.#options.staleSince()?.toISOString() ?? null;
    this.#send({ type: 'hello', version: this.#options.version, staleSince: this.#staleSince }, id);
  }

  #beat(): void {
    this.#write(': heartbeat\n\n');
    const staleSince = this.#options.staleSince()?.toISOString() ?? null;
    if (this.#hasPosition && staleSince !== this.#staleSince) this.#greet(null);
    if (this.#isPumpDue) this.wake();
  }

  async #pump(): Promise<void> {
    let replayed = 0;
    while (this.#isPumpDue && !this.#isClosed) {
      this.#isPumpDue = false;
      const { events, hasMore, isLost } = await readEventsAfter(
        this.#options.db,
        { userId: this.userId, afterId: this.#position },
        PAGE_LIMITS,
      );
      for (const { id, event } of events) {
        this.#position = id;
        this.#send(event, id);
        if (!(await this.#drained())) return;
      }
      replayed += events.length;
      if (hasMore) this.#isPumpDue = true;
      if (isLost || (replayed >= MAX_REPLAYED_EVENTS && this.#isPumpDue)) await this.#skipToNewest();
    }
  }

  async #skipToNewest(): Promise<void> {
    this.#position = await newestEventId(this.#options.db, this.userId);
    this.#send({ type: 'resync' }, this.#position);
  }

  /** Waits until the reader has taken what was sent; false when it never does. */
  async #drained(): Promise<boolean> {
    const { response } = this.#options;
    if (response.writableLength < HIGH_WATER_BYTES) return !this.#isClosed;
    const { promise, resolve } = Promise.withResolvers<boolean>();
    this.#stall = setTimeout(() => resolve(false), STALL_TIMEOUT_MS);
    const drained = (): void => resolve(true);
    const closed = (): void => resolve(false);
    response.once('drain', drained).once('close', closed);
    const hasDrained = await promise;
    response.off('drain', drained).off('close', closed);
    clearTimeout(this.#stall);
    if (!hasDrained) response.destroy();
    return hasDrained;
  }

  #send(event: ServerEvent, id: string | null): void {
    this.#write(`${id === null ? '' : `id: ${id}\n`}event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`);
  }

  #write(text: string): void {
    if (!this.#isClosed && !this.#options.response.writableEnded) this.#options.response.write(text);
  }

  #dispose(): void {
    this.#isClosed = true;
    for (const timer of [this.#heartbeat, this.#expiry, this.#stall]) if (timer !== null) clearTimeout(timer);
  }
}
