import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { signedInFixture } from '../testing/signed-in.ts';
import { credentials } from './client.ts';
import { openEventStream } from './event-source.ts';

describe('the event stream', () => {
  beforeEach(() => {
    vi.useFakeTimers();
    credentials.accept(signedInFixture());
  });
  afterEach(() => {
    credentials.clear();
    vi.useRealTimers();
    vi.unstubAllGlobals();
  });
  const open = (onOpen: () => void = () => undefined) => {
    const controller = new AbortController();
    const ended = openEventStream({ lastEventId: '0', signal: controller.signal, onOpen, onEvent: () => undefined });
    ended.catch(() => undefined);
    return { ended, controller };
  };

  it('is given up when nobody answers, so that it is tried again', async () => {
    vi.stubGlobal(
      'fetch',
      (_url: string, { signal }: RequestInit) =>
        new Promise((_resolve, reject) => {
          signal?.addEventListener('abort', () => reject(signal.reason as Error));
        }),
    );
    const { ended } = open();
    await vi.advanceTimersByTimeAsync(25_000);
    await expect(ended).rejects.toMatchObject({ code: 'timeout' });
  });

  it('lives on for as long as the server speaks once it is open', async () => {
    let isCut = false;
    let speak: (text: string) => void = () => undefined;
    vi.stubGlobal('fetch', (_url: string, { signal }: RequestInit) => {
      signal?.addEventListener('abort', () => (isCut = true));
      const body = new ReadableStream<Uint8Array>({
        start: (controller) => {
          speak = (text) => controller.enqueue(new TextEncoder().encode(text));
        },
      });
      return Promise.resolve(new Response(body));
    });
    const onOpen = vi.fn();
    const { ended } = open(onOpen);
    for (let second = 0; second < 60; second += 10) {
      await vi.advanceTimersByTimeAsync(10_000);
      speak(': still here\n\n');
    }
    expect(onOpen).toHaveBeenCalledOnce();
    expect(isCut).toBe(false);
    await vi.advanceTimersByTimeAsync(50_000);
    await expect(ended).rejects.toMatchObject({ code: 'timeout', message: 'The event stream fell silent.' });
  });
});
