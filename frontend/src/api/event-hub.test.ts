import type { ServerEvent } from '@sac/contracts';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ApiError } from './api-error.ts';
import type { BrowserLock } from './browser-lock.ts';
import type { TabChannel } from './credentials.ts';
import { EventHub, retryDelayMs, type LinkState } from './event-hub.ts';
import type { EventStreamOptions } from './event-source.ts';

type Channel = TabChannel & { close(): void };

const createBus = () => {
  const open = new Set<{ name: string; channel: Channel }>();
  return (name: string): Channel => {
    const entry = {
      name,
      channel: {
        onmessage: null,
        postMessage: (data: unknown) => {
          for (const other of open) {
            if (other !== entry && other.name === name)
              other.channel.onmessage?.(new MessageEvent('message', { data: structuredClone(data) }));
          }
        },
        close: () => open.delete(entry),
      } as Channel,
    };
    open.add(entry);
    return entry.channel;
  };
};

/** Web Locks as the browser has them: first come, first served; an abort leaves the queue. */
const createLock = (): BrowserLock => {
  const tails = new Map<string, Promise<unknown>>();
  return {
    run: async (name, work, signal) => {
      const before = tails.get(name) ?? Promise.resolve();
      const turn = before.then(async () => {
        signal?.throwIfAborted();
        return work();
      });
      tails.set(
        name,
        turn.catch(() => undefined),
      );
      return turn;
    },
  };
};

/** One opened stream, driven by the test. */
interface Stream {
  readonly options: EventStreamOptions;
  readonly end: () => void;
  readonly fail: (error: unknown) => void;
}

describe('EventHub', () => {
  let streams: Stream[];
  let bus: ReturnType<typeof createBus>;
  let lock: BrowserLock;
  let hubs: EventHub[];

  const openStream = (options: EventStreamOptions): Promise<void> =>
    new Promise((resolve, reject) => {
      streams.push({ options, end: resolve, fail: reject });
      options.signal.addEventListener('abort', () => reject(new DOMException('stopped', 'AbortError')));
    });

  const openTab = (account = '1') => {
    const events: ServerEvent[] = [];
    const links: LinkState[] = [];
    const hub = new EventHub(account, {
      lastEventId: '3',
      lock,
      openChannel: bus,
      openStream,
      random: () => 0,
      onEvent: (event) => events.push(event),
      onLink: (link) => links.push(link),
    });
    hubs.push(hub);
    return { hub, events, links };
  };
  const settle = () => vi.advanceTimersByTimeAsync(0);
  const stream = (index: number): Stream => {
    const found = streams[index];
    if (!found) throw new Error(`no stream ${index}`);
    return found;
  };
  const deleted = (agentId: string): ServerEvent => ({ type: 'agent-deleted', agentId });

  beforeEach(() => {
    vi.useFakeTimers();
    streams = [];
    hubs = [];
    bus = createBus();
    lock = createLock();
  });
  afterEach(() => {
    for (const hub of hubs) hub.stop();
    vi.useRealTimers();
  });

  it('opens one stream for all tabs and passes every event on', async () => {
    const [first, second] = [openTab(), openTab()];
    await settle();
    expect(streams).toHaveLength(1);
    stream(0).options.onOpen();
    stream(0).options.onEvent({ id: '5', event: deleted('9') });
    expect(stream(0).options.lastEventId).toBe('3');
    expect(first.events).toEqual([deleted('9')]);
    expect(second.events).toEqual(first.events);
    expect(second.links.at(-1)).toEqual({ phase: 'open', retryAtMs: null });
  });

  it('a follower takes over after the last event it has seen', async () => {
    const first = openTab();
    const second = openTab();
    await settle();
    stream(0).options.onOpen();
    stream(0).options.onEvent({ id: '5', event: deleted('9') });
    first.hub.stop();
    await settle();
    expect(streams).toHaveLength(2);
    expect(stream(1).options.lastEventId).toBe('5');
    expect(second.events).toEqual([deleted('9')]);
  });

  it('a tab that comes later learns position and state from the leader', async () => {
    openTab();
    await settle();
    stream(0).options.onOpen();
    stream(0).options.onEvent({ id: '41', event: deleted('9') });
    const late = openTab();
    expect(late.links.at(-1)?.phase).toBe('open');
    hubs[0]?.stop();
    await settle();
    expect(stream(1).options.lastEventId).toBe('41');
  });

  it('comes back with backoff and replay, at once when asked to', async () => {
    const tab = openTab();
    await settle();
    stream(0).options.onOpen();
    stream(0).options.onEvent({ id: '7', event: deleted('1') });
    stream(0).fail(new ApiError({ code: 'network', message: 'gone' }));
    await settle();
    expect(tab.links.at(-1)?.phase).toBe('waiting');
    expect(streams).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(250);
    expect(streams).toHaveLength(2);
    expect(stream(1).options.lastEventId).toBe('7');
    stream(1).fail(new Error('again'));
    await settle();
    tab.hub.retryNow();
    await settle();
    expect(streams).toHaveLength(3);
  });

  it('stops for good when nobody is signed in any more', async () => {
    openTab();
    await settle();
    stream(0).fail(new ApiError({ code: 'unauthenticated', message: 'no', status: 401 }));
    await vi.advanceTimersByTimeAsync(120_000);
    expect(streams).toHaveLength(1);
  });

  it('does not mix accounts', async () => {
    const [ana, ben] = [openTab('1'), openTab('2')];
    await settle();
    expect(streams).toHaveLength(2);
    stream(0).options.onEvent({ id: '1', event: deleted('3') });
    expect(ana.events).toHaveLength(1);
    expect(ben.events).toHaveLength(0);
  });
});

describe('retryDelayMs', () => {
  it('doubles to half a minute, half of it random', () => {
    expect([1, 2, 3].map((failures) => retryDelayMs(failures, 0))).toEqual([250, 500, 1000]);
    expect(retryDelayMs(1, 0.999)).toBeLessThanOrEqual(500);
    expect(retryDelayMs(50, 0.999)).toBeLessThanOrEqual(30_000);
    expect(retryDelayMs(50, 0)).toBe(15_000);
  });
});
