import { beforeEach, describe, expect, it, vi } from 'vitest';
import { Outbox, type OutboxOptions, type SendFailure } from './outbox.ts';

const memoryStorage = (): Storage => {
  const entries = new Map<string, string>();
  return {
    getItem: (key) => entries.get(key) ?? null,
    setItem: (key, value) => void entries.set(key, value),
    removeItem: (key) => void entries.delete(key),
    clear: () => entries.clear(),
    key: (index) => [...entries.keys()][index] ?? null,
    get length() {
      return entries.size;
    },
  };
};

const failure = (temporary: boolean): SendFailure => ({
  message: temporary ? 'Server away' : 'Queue full',
  requestId: 'r1',
  temporary,
  retryAfterMs: null,
});

describe('Outbox', () => {
  let storage: Storage;
  const make = (send: OutboxOptions['send'], explain: OutboxOptions['explain'] = () => failure(false)): Outbox =>
    new Outbox({ send, explain, storage, key: 'k', leftOverReason: 'left over', retryDelaysMs: [1, 1] });
  beforeEach(() => {
    storage = memoryStorage();
  });

  it('sends one after the other in order and forgets what arrived', async () => {
    const order: string[] = [];
    let active = 0;
    const outbox = make(async (_id, text) => {
      active += 1;
      expect(active).toBe(1);
      await Promise.resolve();
      active -= 1;
      order.push(text);
    });
    for (const text of ['a', 'b', 'c']) outbox.add(text);
    await vi.waitFor(() => expect(outbox.entries.value).toEqual([]));
    expect(order).toEqual(['a', 'b', 'c']);
    expect(storage.getItem('k')).toBeNull();
  });

  it('repeats a temporary failure under the same id, then leaves the decision to the person', async () => {
    const ids: string[] = [];
    let working = false;
    const outbox = make(
      (id) => {
        ids.push(id);
        return working ? Promise.resolve() : Promise.reject(new Error('down'));
      },
      () => failure(true),
    );
    outbox.add('a');
    outbox.add('b');
    await vi.waitFor(() => expect(outbox.entries.value[0]?.state).toBe('failed'));
    expect(ids).toHaveLength(3);
    expect(outbox.entries.value[1]?.state).toBe('waiting');
    working = true;
    outbox.retry(ids[0] ?? '');
    await vi.waitFor(() => expect(outbox.entries.value).toEqual([]));
    expect(new Set(ids.slice(0, 4)).size).toBe(1);
  });

  it('does not repeat a refusal, and goes on when the refused one is removed', async () => {
    const sent: string[] = [];
    const outbox = make((_id, text) =>
      text === 'bad' ? Promise.reject(new Error('no')) : (void sent.push(text) as never),
    );
    outbox.add('bad');
    outbox.add('good');
    await vi.waitFor(() => expect(outbox.entries.value[0]?.state).toBe('failed'));
    const removed = outbox.remove(outbox.entries.value[0]?.clientRequestId ?? '');
    expect(removed?.text).toBe('bad');
    await vi.waitFor(() => expect(sent).toEqual(['good']));
  });

  it('drops what the server is known to have although the answer was lost', async () => {
    const outbox = make(() => Promise.reject(new Error('lost')));
    outbox.add('a');
    await vi.waitFor(() => expect(outbox.entries.value[0]?.state).toBe('failed'));
    outbox.confirm(new Set([outbox.entries.value[0]?.clientRequestId ?? '']));
    expect(outbox.entries.value).toEqual([]);
  });

  it('keeps unsent prompts over a reload and does not send them by itself', async () => {
    const first = make(() => new Promise(() => {}));
    first.add('half sent');
    first.close();
    const send = vi.fn(() => Promise.resolve());
    const second = make(send);
    expect(second.entries.value).toMatchObject([{ text: 'half sent', state: 'failed', reason: 'left over' }]);
    expect(send).not.toHaveBeenCalled();
    second.retry(second.entries.value[0]?.clientRequestId ?? '');
    await vi.waitFor(() => expect(second.entries.value).toEqual([]));
  });

  it('lets what is under way arrive when its page is left, and touches nothing of the next one', async () => {
    let arrive = (): void => undefined;
    const first = make(
      (_id, _text, signal?: AbortSignal) =>
        new Promise((resolve, reject) => {
          arrive = () => resolve();
          signal?.addEventListener('abort', () => reject(new Error('cut')));
        }),
    );
    first.add('on its way');
    first.add('behind it');
    first.close();
    const second = make(() => new Promise(() => {}));
    second.add('new');
    arrive();
    await vi.waitFor(() => expect(storage.getItem('k')).not.toContain('on its way'));
    expect(JSON.parse(storage.getItem('k') ?? '')).toMatchObject([{ text: 'behind it' }, { text: 'new' }]);
    second.close();
  });

  it('needs no secure context: plain http from another machine has no randomUUID', () => {
    vi.stubGlobal('crypto', { getRandomValues: crypto.getRandomValues.bind(crypto) });
    try {
      const outbox = make(() => new Promise(() => {}));
      expect(outbox.add('a')).toBe(true);
      expect(outbox.entries.value[0]?.clientRequestId).toMatch(/^[A-Za-z0-9_-]{8,64}$/);
      outbox.close();
    } finally {
      vi.unstubAllGlobals();
    }
  });

  it('is bounded', () => {
    const outbox = make(() => new Promise(() => {}));
    const taken = Array.from({ length: 30 }, (_, index) => outbox.add(String(index))).filter(Boolean).length;
    expect(taken).toBe(20);
    outbox.close();
  });
});
