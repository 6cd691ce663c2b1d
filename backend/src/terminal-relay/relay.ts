import { createSecretKey, randomUUID, type KeyObject } from 'node:crypto';
import type { Socket } from 'node:net';
import type { Logger } from 'pino';
import { ConnectionCounts } from './connection-counts.ts';
import { FloodPacer } from './flood-pacer.ts';
import { checkOrigin, parseOrigin, pathOf, readHandshake, type Handshake } from './handshake.ts';
import { defaultLimits, type RelayConfig, type RelayLimits, type UpgradeRequest } from './messages.ts';
import { metricsText, RelayMetrics } from './metrics.ts';
import { RefusedError, refuse, type Refusal } from '../lib/refusal.ts';
import { RevokedSessions } from './revoked-sessions.ts';
import { SeenTickets } from './seen-tickets.ts';
import { Splice } from './splice.ts';
import { TicketClock } from './ticket-clock.ts';
import { forgettableAtMs, verifyTicket, type VerifiedTicket } from './ticket.ts';
import { openUpstream, UpstreamError, type UpstreamLink } from './upstream.ts';

const SEEN_TICKETS_CAPACITY = 100_000;
const LONGEST_SWEEP_INTERVAL_MS = 15_000;

const DRAINING: Refusal = {
  code: 'unavailable',
  message: 'This terminal proxy is going away; try again.',
  retryAfterSeconds: 1,
};

const CUT: Refusal = {
  code: 'unavailable',
  message: 'All terminals of this proxy were cut while this one was being opened; try again.',
  retryAfterSeconds: 1,
};

const SIGNED_OUT: Refusal = { code: 'unauthenticated', message: 'This browser was signed out. Sign in again.' };

interface Admission {
  readonly handshake: Handshake;
  readonly ticket: VerifiedTicket;
  /** Gives the place among the limits back. */
  readonly release: () => void;
}

/**
 * The core of ws-proxy: decides about a handshake before it is answered, connects to the terminal server
 * the ticket names and joins the two streams. Knows no routes, no database and no key of any agent.
 */
export class Relay {
  readonly metrics = new RelayMetrics();
  readonly #config: RelayConfig;
  readonly #limits: RelayLimits;
  readonly #logger: Logger;
  readonly #keys: ReadonlyMap<string, KeyObject>;
  readonly #origins: ReadonlySet<string>;
  readonly #counts: ConnectionCounts;
  readonly #clock = new TicketClock();
  readonly #seen = new SeenTickets(SEEN_TICKETS_CAPACITY);
  readonly #revoked = new RevokedSessions();
  readonly #pacer = new FloodPacer(this.metrics);
  /** Each with the browser session it was opened in. */
  readonly #splices = new Map<Splice, string>();
  readonly #openings = new Set<AbortController>();
  readonly #sweep: NodeJS.Timeout;
  #draining = false;
  #heldBack: Refusal | null = null;
  #empty = Promise.withResolvers<void>();

  /** Throws when an allowed origin is not one. */
  constructor(config: RelayConfig, logger: Logger) {
    this.#config = config;
    this.#limits = { ...defaultLimits, ...config.limits };
    this.#logger = logger;
    this.#keys = new Map(
      config.ticketKeys.map(({ kid, keyBase64 }) => [kid, createSecretKey(Buffer.from(keyBase64, 'base64'))]),
    );
    this.#origins = new Set(
      config.allowedOrigins.map((text) => {
        const origin = parseOrigin(text);
        if (origin === null) throw new Error(`"${text}" is not an origin such as https://sac.example.org.`);
        return origin;
      }),
    );
    this.#counts = new ConnectionCounts(this.#limits);
    const shortestMs = Math.min(this.#limits.idleTimeoutMs, this.#limits.stalledTimeoutMs);
    this.#sweep = setInterval(() => this.#endSilent(), Math.min(LONGEST_SWEEP_INTERVAL_MS, shortestMs / 2));
    this.#sweep.unref();
  }

  /** Spliced connections now. */
  get connectionCount(): number {
    return this.#splices.size;
  }

  /** Terminals at a time. */
  get maxConnections(): number {
    return this.#limits.maxConnections;
  }

  /** False from the start of draining, and while it is held back. */
  get accepting(): boolean {
    return !this.#draining && this.#heldBack === null;
  }

  /** Refuses every handshake with this until it is null again; open connections go on. */
  holdBack(reason: Refusal | null): void {
    this.#heldBack = reason;
  }

  /** What time it is where tickets are signed, epoch milliseconds. */
  tellClock(nowMs: number): void {
    this.#clock.tell(nowMs);
  }

  /** Cuts what is open or being opened; the clients may come back. */
  cutAll(): void {
    for (const opening of this.#openings) opening.abort(new RefusedError(this.#heldBack ?? CUT));
    for (const splice of this.#splices.keys()) {
      this.metrics.endedUncertain += 1;
      splice.destroy();
    }
  }

  get metricsText(): string {
    return metricsText(this.metrics);
  }

  /** Takes the socket over: answers 101 or a refusal on it and owns it from here. Never throws. */
  handleUpgrade(request: UpgradeRequest, client: Socket, head: Buffer): void {
    client.on('error', () => client.destroy());
    client.setTimeout(0);
    client.setNoDelay(true);
    client.setKeepAlive(true, this.#limits.keepAliveMs);
    try {
      const admission = this.#admit(request);
      this.#open(admission, request, client, head).catch((error: unknown) => this.#refuse(request, client, error));
    } catch (error) {
      this.#refuse(request, client, error);
    }
  }

  /**
   * Takes nothing new and ends what is open, spread over `drainMs` so that the clients do not all come back at
   * once. Resolves when the last connection is closed.
   */
  async drain(drainMs: number): Promise<void> {
    this.stopAccepting();
    const splices = [...this.#splices.keys()];
    const timers = splices.map((splice, index) => setTimeout(() => splice.end(), (drainMs * index) / splices.length));
    await this.whenEmpty();
    for (const timer of timers) clearTimeout(timer);
    this.#stopTimers();
  }

  /**
   * Cuts what was opened in these browser sessions, at once: what is still on its way to a stranger must not
   * arrive. Their unused tickets are refused from here on. The clients ask for new tickets and learn the reason there.
   */
  revoke(authSessions: readonly string[]): void {
    this.#revoked.add(authSessions, performance.now());
    const ended = new Set(authSessions);
    for (const [splice, authSession] of this.#splices) {
      if (!ended.has(authSession)) continue;
      this.metrics.endedRevoked += 1;
      splice.destroy();
    }
  }

  /** Cuts everything at once. */
  destroy(): void {
    this.stopAccepting();
    for (const splice of this.#splices.keys()) splice.destroy();
    this.#stopTimers();
  }

  /** From here on every handshake is refused, those under way too; open connections go on. */
  stopAccepting(): void {
    this.#draining = true;
    for (const opening of this.#openings) opening.abort(new Error('draining'));
  }

  /** Resolves when no connection is open. */
  async whenEmpty(): Promise<void> {
    while (this.#splices.size > 0) await this.#empty.promise;
  }

  #admit(request: UpgradeRequest): Admission {
    if (this.#draining) throw new RefusedError(DRAINING);
    if (this.#heldBack) throw new RefusedError(this.#heldBack);
    const handshake = readHandshake(request);
    checkOrigin(handshake.origin, this.#origins);
    const nowMs = this.#clock.nowMs();
    const ticket = verifyTicket(handshake.token, handshake.sessionId, this.#keys, nowMs);
    if (this.#revoked.has(ticket.authSession)) throw new RefusedError(SIGNED_OUT);
    const release = this.#counts.acquire(ticket.sub, request.remoteAddress);
    if (typeof release !== 'function') throw new RefusedError(release);
    const use = this.#seen.use(ticket.jti, forgettableAtMs(ticket), nowMs);
    if (use === 'fresh') return { handshake, ticket, release };
    release();
    throw new RefusedError(
      use === 'seen'
        ? { code: 'ticket_invalid', message: 'The ticket was used before. Ask for a new one.' }
        : { code: 'unavailable', message: 'Too many terminals were opened in the last seconds.', retryAfterSeconds: 5 },
    );
  }

  async #open(
    { handshake, ticket, release }: Admission,
    request: UpgradeRequest,
    client: Socket,
    head: Buffer,
  ): Promise<void> {
    const opening = new AbortController();
    const onGone = (): void => opening.abort(new Error('client gone'));
    client.once('close', onGone);
    this.#openings.add(opening);
    try {
      const link = await openUpstream({
        upstream: ticket.upstream,
        policy: this.#config.upstream,
        timeoutMs: this.#limits.upstreamTimeoutMs,
        key: handshake.key,
        bearer: ticket.inner,
        signal: opening.signal,
      });
      if (this.#revoked.has(ticket.authSession)) {
        link.socket.destroy();
        throw new RefusedError(SIGNED_OUT);
      }
      this.#splice(link, { ticket, release }, { request, client, head });
    } catch (error) {
      release();
      if (opening.signal.reason instanceof RefusedError) throw opening.signal.reason;
      throw this.#draining ? new RefusedError(DRAINING, { cause: error }) : error;
    } finally {
      this.#openings.delete(opening);
      client.off('close', onGone);
    }
  }

  #factsOf(ticket: VerifiedTicket, request: UpgradeRequest): object {
    const { sub, session, agentUid, generation, terminal, mode } = ticket;
    return {
      userId: sub,
      sessionId: session,
      agentUid,
      generation,
      terminal,
      mode,
      remoteAddress: request.remoteAddress,
    };
  }

  #splice(
    link: UpstreamLink,
    { ticket, release }: Pick<Admission, 'ticket' | 'release'>,
    { request, client, head }: { request: UpgradeRequest; client: Socket; head: Buffer },
  ): void {
    link.socket.setKeepAlive(true, this.#limits.keepAliveMs);
    const openedAtMs = performance.now();
    const facts = this.#factsOf(ticket, request);
    // What the closure below holds is held for as long as the terminal is open: no token, no request.
    const { sub } = ticket;
    const splice = new Splice({
      client,
      upstream: { socket: link.socket, source: link.source, sizes: link.sizes },
      pacer: this.#pacer,
      share: this.#pacer.join(sub),
      metrics: this.metrics,
      nowMs: () => performance.now(),
      onClosed: () => {
        release();
        this.#pacer.leave(sub);
        this.#splices.delete(splice);
        this.metrics.connectionsOpen -= 1;
        const durationMs = Math.round(performance.now() - openedAtMs);
        this.#logger.info({ ...facts, durationMs }, 'terminal connection closed');
        if (this.#splices.size > 0) return;
        this.#empty.resolve();
        this.#empty = Promise.withResolvers();
      },
    });
    this.#splices.set(splice, ticket.authSession);
    this.metrics.connectionsOpen += 1;
    this.metrics.connectionsOpened += 1;
    this.#logger.info(facts, 'terminal connection opened');
    splice.start(head, link);
  }

  #refuse(request: UpgradeRequest, client: Socket, error: unknown): void {
    const requestId = randomUUID();
    const refusal = this.#refusalFor(error, requestId);
    this.metrics.countRefusal(refusal.code);
    this.#logger.info(
      { requestId, code: refusal.code, path: pathOf(request.url), remoteAddress: request.remoteAddress },
      'terminal connection refused',
    );
    refuse(client, refusal, requestId);
  }

  #refusalFor(error: unknown, requestId: string): Refusal {
    if (error instanceof RefusedError) return error.refusal;
    if (error instanceof UpstreamError) {
      this.metrics.countUpstreamError(error.failure);
      this.#logger.warn({ requestId, failure: error.failure, err: error }, 'terminal server not reached');
      return { code: 'unavailable', message: error.message, retryAfterSeconds: 1 };
    }
    this.#logger.error({ requestId, err: error }, 'handshake failed unexpectedly');
    return { code: 'internal', message: 'Something went wrong in the terminal proxy.' };
  }

  #endSilent(): void {
    const nowMs = performance.now();
    for (const splice of this.#splices.keys()) {
      if (splice.stalledForMs(nowMs) > this.#limits.stalledTimeoutMs) this.metrics.endedStalled += 1;
      else if (splice.idleForMs(nowMs) > this.#limits.idleTimeoutMs) this.metrics.endedIdle += 1;
      else continue;
      splice.destroy();
    }
  }

  #stopTimers(): void {
    clearInterval(this.#sweep);
    this.#pacer.stop();
  }
}
