import type { ServerEvent } from '@sac/contracts';
import { ApiError } from './api-error.ts';
import type { BrowserLock } from './browser-lock.ts';
import type { TabChannel } from './credentials.ts';
import type { OpenEventStream, ReceivedEvent } from './event-source.ts';

/** How the browser's one stream is doing, the same in every tab. */
export interface LinkState {
  readonly phase: 'connecting' | 'open' | 'waiting';
  /** Epoch milliseconds of the next attempt while `waiting`, else null. */
  readonly retryAtMs: number | null;
}

type HubMessage =
  | { readonly type: 'event'; readonly received: ReceivedEvent }
  | { readonly type: 'link'; readonly link: LinkState; readonly lastEventId: string }
  | { readonly type: 'hello' };

export interface EventHubDeps {
  /** Position before the lists of this page were asked for. */
  readonly lastEventId: string;
  readonly lock: BrowserLock;
  /** One channel per account, so that a tab never sees another account's events. */
  readonly openChannel: (name: string) => TabChannel & { close(): void };
  readonly openStream: OpenEventStream;
  readonly onEvent: (event: ServerEvent) => void;
  readonly onLink: (link: LinkState) => void;
  /** 0 ≤ x < 1, for the jitter. */
  readonly random?: () => number;
}

const firstDelayMs = 500;
const maxDelayMs = 30_000;
/** A stream that lived this long was a good one: the next failure starts at the shortest delay again. */
const goodStreamMs = 10_000;

/** Delay before attempt `failures` (1 = first retry): doubles to 30 s, half of it random. */
export const retryDelayMs = (failures: number, random: number): number => {
  const ceiling = Math.min(maxDelayMs, firstDelayMs * 2 ** Math.min(failures - 1, 10));
  return Math.round(ceiling / 2 + (ceiling / 2) * random);
};

/**
 * One event stream per browser: the tab that gets the lock reads it and passes every event on; when it
 * closes, the next tab takes over after the last event it has seen.
 */
export class EventHub {
  private readonly deps: EventHubDeps;
  private readonly channel: TabChannel & { close(): void };
  private readonly stopping = new AbortController();
  private lastEventId: string;
  private link: LinkState = { phase: 'connecting', retryAtMs: null };
  private leading = false;
  private wake: (() => void) | null = null;

  constructor(accountId: string, deps: EventHubDeps) {
    this.deps = deps;
    this.lastEventId = deps.lastEventId;
    this.channel = deps.openChannel(`sac.events.${accountId}`);
    this.channel.onmessage = (message) => {
      this.onTabMessage(message.data as HubMessage);
    };
    this.channel.postMessage({ type: 'hello' } satisfies HubMessage);
    const { signal } = this.stopping;
    // Only a broken lock ends here unasked; then no tab leads, and the frame says that the connection is lost.
    deps.lock
      .run(`events.${accountId}`, () => this.lead(), signal)
      .catch(() => {
        if (!signal.aborted) this.setLink({ phase: 'waiting', retryAtMs: null });
      });
  }

  /** Ends the stream or the wait for leadership. The hub cannot be started again. */
  stop(): void {
    this.stopping.abort();
    this.channel.onmessage = null;
    this.channel.close();
  }

  /** Tries again at once instead of at the end of the backoff. */
  retryNow(): void {
    this.wake?.();
  }

  private async lead(): Promise<void> {
    this.leading = true;
    let failures = 0;
    while (!this.stopping.signal.aborted) {
      const startedAt = performance.now();
      try {
        await this.connectOnce();
      } catch (error) {
        if (this.stopping.signal.aborted) return;
        if (error instanceof ApiError && error.code === 'unauthenticated') return;
      }
      failures = performance.now() - startedAt > goodStreamMs ? 1 : failures + 1;
      await this.backOff(retryDelayMs(failures, (this.deps.random ?? Math.random)()));
    }
  }

  private async connectOnce(): Promise<void> {
    this.setLink({ phase: 'connecting', retryAtMs: null });
    await this.deps.openStream({
      lastEventId: this.lastEventId,
      signal: this.stopping.signal,
      onOpen: () => this.setLink({ phase: 'open', retryAtMs: null }),
      onEvent: (received) => this.pass(received),
    });
  }

  private pass(received: ReceivedEvent): void {
    this.channel.postMessage({ type: 'event', received } satisfies HubMessage);
    this.receive(received);
  }

  private receive(received: ReceivedEvent): void {
    if (received.id !== null) this.lastEventId = received.id;
    this.deps.onEvent(received.event);
  }

  private setLink(link: LinkState): void {
    this.link = link;
    this.announce();
    this.deps.onLink(link);
  }

  private announce(): void {
    if (this.stopping.signal.aborted) return;
    this.channel.postMessage({ type: 'link', link: this.link, lastEventId: this.lastEventId } satisfies HubMessage);
  }

  private async backOff(delayMs: number): Promise<void> {
    if (this.stopping.signal.aborted) return;
    this.setLink({ phase: 'waiting', retryAtMs: Date.now() + delayMs });
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, delayMs);
      this.wake = () => {
        clearTimeout(timer);
        resolve();
      };
      this.stopping.signal.addEventListener('abort', this.wake, { once: true });
    });
    if (this.wake) this.stopping.signal.removeEventListener('abort', this.wake);
    this.wake = null;
  }

  private onTabMessage(message: HubMessage): void {
    if (message.type === 'hello') {
      if (this.leading) this.announce();
      return;
    }
    if (message.type === 'event') {
      this.receive(message.received);
      return;
    }
    // The leader has passed on everything up to there.
    this.lastEventId = message.lastEventId;
    this.link = message.link;
    this.deps.onLink(message.link);
  }
}
