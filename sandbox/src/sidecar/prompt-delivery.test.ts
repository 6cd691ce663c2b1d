import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { HookEvent } from '../hooks/hook-event.ts';
import { hookEvent } from '../hooks/testing/hook-event.ts';
import type { ControlClient } from './control-client.ts';
import { DeliveryStore } from './delivery-record.ts';
import { PromptDelivery } from './prompt-delivery.ts';
import { transcriptHoldsPrompt } from './transcript.ts';

let dir: string;
let store: DeliveryStore;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'sac-delivery-'));
  store = new DeliveryStore(join(dir, 'record/delivery.json'));
  await mkdir(join(dir, 'record'));
  // A prompt that is not confirmed is given up after half a minute.
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
});
afterEach(async () => {
  vi.useRealTimers();
  await rm(dir, { recursive: true, force: true });
});

const command = (text: string) => ({
  id: 'c-1',
  issuedAt: '2026-01-01T00:00:00.000Z',
  kind: 'prompt' as const,
  promptId: 'p-1',
  text,
});

const submitted = (prompt: string): HookEvent => hookEvent('UserPromptSubmit', { prompt });

interface Terminal {
  readonly box: () => string | null;
  readonly onPaste: (text: string) => void | Promise<void>;
  readonly busy?: () => boolean;
  readonly inTranscript?: () => boolean;
}

/** The delivery into a terminal whose far end the test plays; what was pasted into it. */
const deliveryInto = ({ box, onPaste, busy = () => false, inTranscript = () => false }: Terminal) => {
  const pasted: string[] = [];
  const control: Pick<ControlClient, 'paste' | 'keys' | 'screen'> = {
    paste: async (text) => {
      pasted.push(text);
      await onPaste(text);
    },
    keys: async () => undefined,
    screen: async () => {
      const shown = box();
      const lines = shown === null ? ['a picture'] : [`❯ ${shown}`];
      return { lines, cursor: { x: 0, y: 0 }, modes: { bracketedPaste: true } };
    },
  };
  const delivery = new PromptDelivery({
    control: control as ControlClient,
    store,
    source: 'claude',
    ready: () => true,
    busy,
    transcriptHolds: async () => inTranscript(),
  });
  return { delivery, pasted };
};

/** While what it waits for is on disk, or half a minute away: a disk that needs a moment must not cost the half minute. */
const passing = async <T>(promise: Promise<T>): Promise<T> => {
  let isSettled = false;
  const settle = () => (isSettled = true);
  promise.then(settle, settle);
  for (let turns = 0; !isSettled && turns < 5_000; turns += 1) {
    await vi.advanceTimersByTimeAsync(100);
    await sleep(2);
  }
  return promise;
};

const never = new AbortController().signal;

it('is done when the CLI says that it took the prompt', async () => {
  const { delivery, pasted } = deliveryInto({
    box: () => '',
    onPaste: (text) => delivery.hook(submitted(text)),
  });
  expect(await passing(delivery.deliver(command('hello there'), never))).toEqual({ outcome: 'done', reason: null });
  expect(pasted).toEqual(['hello there']);
  expect(await store.read()).toMatchObject({ commandId: 'c-1', result: { outcome: 'done' } });
});

it('stays done when the disk is full by then', async () => {
  const { delivery } = deliveryInto({
    box: () => '',
    onPaste: async (text) => {
      await rm(join(dir, 'record'), { recursive: true });
      await writeFile(join(dir, 'record'), 'no folder any more');
      delivery.hook(submitted(text));
    },
  });
  expect(await passing(delivery.deliver(command('hello there'), never))).toEqual({ outcome: 'done', reason: null });
});

it('is not sent where it cannot be noted that it is', async () => {
  await rm(join(dir, 'record'), { recursive: true });
  await writeFile(join(dir, 'record'), 'no folder');
  const { delivery, pasted } = deliveryInto({ box: () => '', onPaste: () => undefined });
  await expect(passing(delivery.deliver(command('hello there'), never))).rejects.toThrow();
  expect(pasted).toEqual([]);
});

describe('without a word of the CLI', () => {
  it('a turn that began, with the prompt gone from the box, took it', async () => {
    const { delivery } = deliveryInto({ box: () => '', onPaste: () => undefined, busy: () => true });
    expect(await passing(delivery.deliver(command('hello there'), never))).toMatchObject({ outcome: 'done' });
  });

  it('a turn that another text began did not', async () => {
    const { delivery } = deliveryInto({
      box: () => '',
      onPaste: () => delivery.hook(submitted('typed by hand instead')),
      busy: () => true,
    });
    expect(await passing(delivery.deliver(command('hello there'), never))).toMatchObject({ outcome: 'unknown' });
  });

  it('a screen without a box says nothing', async () => {
    const { delivery } = deliveryInto({ box: () => null, onPaste: () => undefined, busy: () => true });
    expect(await passing(delivery.deliver(command('hello there'), never))).toMatchObject({ outcome: 'unknown' });
  });

  it('the terminal is looked at once a second, also when the wait for a word is over', async () => {
    let looks = 0;
    const { delivery } = deliveryInto({
      box: () => {
        looks += 1;
        return null;
      },
      onPaste: () => vi.advanceTimersByTimeAsync(60_000).then(() => undefined),
      busy: () => true,
    });
    expect(await passing(delivery.deliver(command('hello there'), never))).toMatchObject({ outcome: 'unknown' });
    expect(looks).toBeLessThan(30);
  });

  it('the transcript tells, whatever the screen shows', async () => {
    const { delivery } = deliveryInto({ box: () => null, onPaste: () => undefined, inTranscript: () => true });
    expect(await passing(delivery.deliver(command('hello there'), never))).toMatchObject({ outcome: 'done' });
  });
});

describe('after a crash with the paste begun', () => {
  const begun = (inTranscript: boolean) => {
    const { delivery, pasted } = deliveryInto({
      box: () => '',
      onPaste: () => undefined,
      inTranscript: () => inTranscript,
    });
    return store.write({ commandId: 'c-1', startedAtMs: 1, result: null }).then(() => ({ delivery, pasted }));
  };

  it('what the transcript holds is done, and not sent again', async () => {
    const { delivery, pasted } = await begun(true);
    expect(await passing(delivery.deliver(command('hello there'), never))).toMatchObject({ outcome: 'done' });
    expect(pasted).toEqual([]);
  });

  it('what it does not hold is for the person to decide, and stays so', async () => {
    const { delivery, pasted } = await begun(false);
    const first = await passing(delivery.deliver(command('hello there'), never));
    expect(first).toMatchObject({ outcome: 'unknown', reason: expect.stringContaining('Look at the terminal') });
    expect(await passing(delivery.deliver(command('hello there'), never))).toEqual(first);
    expect(pasted).toEqual([]);
  });
});

describe('transcriptHoldsPrompt', () => {
  const SENT_MS = Date.parse('2026-01-01T12:00:00Z');
  const line = (content: unknown, timestamp: string) =>
    JSON.stringify({ type: 'user', timestamp, message: { content } });
  const holds = async (lines: readonly string[], text: string): Promise<boolean> => {
    const folder = join(dir, 'home/.claude/projects/-workspace');
    await mkdir(folder, { recursive: true });
    await writeFile(join(folder, 'abc.jsonl'), lines.join('\n'));
    const where = { home: join(dir, 'home'), workspace: '/workspace', conversationId: 'abc' };
    return transcriptHoldsPrompt(where, text, SENT_MS);
  };

  it('finds the prompt taken since', async () => {
    const blocks = [{ type: 'text', text: '<pasted_content id="1">\ntwo\nlines\n</pasted_content>' }];
    expect(await holds(['no JSON', line(blocks, '2026-01-01T12:00:01Z')], 'two\nlines')).toBe(true);
  });

  it('takes neither an older one nor one that only ends with it', async () => {
    expect(await holds([line('two lines', '2026-01-01T11:59:59Z')], 'two lines')).toBe(false);
    expect(await holds([line('not two lines', '2026-01-01T12:00:01Z')], 'two lines')).toBe(false);
  });

  it('is false without a transcript', async () => {
    const where = { home: dir, workspace: '/workspace', conversationId: 'none' };
    expect(await transcriptHoldsPrompt(where, 'x', SENT_MS)).toBe(false);
  });
});
