import { Terminal } from '@xterm/xterm';
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
});
