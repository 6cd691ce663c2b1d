import { Terminal } from '@xterm/xterm';
import { limits } from '@sac/contracts';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { Acknowledger } from './acknowledger.ts';
import { loadScreenAddons } from './screen-addons.ts';

let terminal: Terminal;
const clipboardWrites: string[] = [];
const start = (): string[] => {
  clipboardWrites.length = 0;
  terminal = new Terminal({ allowProposedApi: true });
  loadScreenAddons(terminal, {
    // A person who does not answer.
    onClipboardWrite: (text) => {
      clipboardWrites.push(text);
      return new Promise(() => undefined);
    },
    onLink: () => undefined,
    onLinkHover: () => undefined,
  });
  const answers: string[] = [];
  terminal.onData((data) => answers.push(data));
  return answers;
};
const write = (text: string): Promise<void> => new Promise((resolve) => terminal.write(text, resolve));

describe('the clipboard', () => {
  afterEach(() => terminal.dispose());

  it('does not stop the screen while a person is asked', async () => {
    start();
    await write('\x1b]52;c;aGVsbG8=\x07after');
    expect(clipboardWrites).toEqual(['hello']);
    expect(terminal.buffer.active.getLine(0)?.translateToString(true)).toBe('after');
  });

  it('is never given to a program that asks', async () => {
    const answers = start();
    await write('\x1b]52;c;?\x07');
    expect(answers).toEqual(['\x1b]52;c;\x07']);
  });
});

describe('acknowledging', () => {
  afterEach(() => {
    vi.useRealTimers();
  });

  it('is immediate after a pause, then every 64 KiB and 100 ms', () => {
    vi.useFakeTimers();
    const sent: number[] = [];
    const acknowledger = new Acknowledger((offset) => sent.push(offset));
    acknowledger.restart(1_000);
    acknowledger.processed(1_010);
    expect(sent).toEqual([1_010]);
    acknowledger.processed(1_020);
    acknowledger.processed(1_030);
    expect(sent).toEqual([1_010]);
    acknowledger.processed(70_000);
    expect(sent).toEqual([1_010, 70_000]);
    acknowledger.processed(70_001);
    vi.advanceTimersByTime(100);
    expect(sent).toEqual([1_010, 70_000, 70_001]);
  });

  /** A server that sends as much as may be outstanding to a screen that draws `bytesPerMs`, in pieces of 16 KiB. */
  const flood = (bytesPerMs: number, durationMs: number) => {
    vi.useFakeTimers();
    const piece = 16 * 1024;
    let acknowledged = 0;
    const acknowledger = new Acknowledger((offset) => {
      expect(Number.isInteger(offset)).toBe(true);
      acknowledged = offset;
    });
    acknowledger.restart(0);
    let received = 0;
    const ahead: number[] = [];
    const send = (): void => {
      while (received + piece <= acknowledged + limits.unacknowledgedBytes) acknowledger.received((received += piece));
    };
    for (let drawn = piece; drawn <= durationMs * bytesPerMs; drawn += piece) {
      send();
      vi.advanceTimersByTime(piece / bytesPerMs);
      acknowledger.processed(drawn);
      ahead.push(received - drawn);
    }
    return {
      ahead,
      acknowledger,
      drawnAll: () => acknowledger.processed(received),
      received,
      seen: () => acknowledged,
    };
  };

  it('lets a flood be ahead of a slow screen by what it draws in 100 ms', () => {
    const { ahead, drawnAll, received, seen } = flood(1_234.5, 5_000);
    const settled = ahead.slice(ahead.length / 2);
    expect(Math.max(...settled)).toBeLessThan(180_000);
    expect(Math.min(...settled)).toBeGreaterThan(0);
    drawnAll();
    expect(seen()).toBe(received);
  });

  it('keeps nothing back from a screen that is fast enough', () => {
    const { ahead } = flood(20_000, 2_000);
    expect(Math.min(...ahead.slice(ahead.length / 2))).toBeGreaterThan(limits.unacknowledgedBytes - 4 * 64 * 1024);
  });
});
