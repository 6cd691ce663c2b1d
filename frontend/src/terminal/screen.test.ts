import { afterEach, describe, expect, it } from 'vitest';
import { keyFrames } from './key-frames.ts';
import { Screen } from './screen.ts';
import { defaultTerminalSettings } from './settings.ts';

/** Both are `ESC [ row ; column R`: a report of the cursor in the first row, and F3 with a modifier. */
const CURSOR = '\x1b[1;2R';

let screen: Screen;
const start = () => {
  const host = document.createElement('div');
  document.body.append(host);
  const sent: { text: string; isKey: boolean }[] = [];
  screen = new Screen({
    host,
    settings: { ...defaultTerminalSettings, renderer: 'dom' },
    theme: {},
    fontFamily: 'monospace',
    cursorBlink: false,
    hooks: {
      onInput: (data, isKey) => sent.push({ text: new TextDecoder().decode(data), isKey }),
      interceptKey: () => false,
      onParsed: () => undefined,
      onSelection: () => undefined,
      onClipboardWrite: () => Promise.resolve(),
      onLink: () => undefined,
      onLinkHover: () => undefined,
    },
  });
  const write = (text: string): Promise<void> =>
    new Promise((resolve) => screen.write(new TextEncoder().encode(text), resolve));
  const press = (key: KeyboardEventInit & { readonly keyCode: number }): void => {
    const event = new KeyboardEvent('keydown', { bubbles: true, cancelable: true, ...key });
    Object.defineProperty(event, 'keyCode', { value: key.keyCode });
    host.querySelector('textarea')?.dispatchEvent(event);
  };
  return { sent, write, press };
};
afterEach(() => {
  screen.dispose();
  document.body.replaceChildren();
});

describe('what a screen hands out', () => {
  it('is a key when one was pressed, and an answer when a program asked, also with the same bytes', async () => {
    const { sent, write, press } = start();
    const shiftF3 = { key: 'F3', code: 'F3', keyCode: 114, shiftKey: true };
    press(shiftF3);
    await write('x\x1b[6n');
    press(shiftF3);
    await write('\x1b[6n\x1b[c');
    expect(sent).toEqual([
      { text: CURSOR, isKey: true },
      { text: CURSOR, isKey: false },
      { text: CURSOR, isKey: true },
      { text: CURSOR, isKey: false },
      { text: '\x1b[?1;2c', isKey: false },
    ]);
  });

  it('is no key when it is pasted', () => {
    const { sent } = start();
    screen.paste('text');
    expect(sent).toEqual([{ text: 'text', isKey: false }]);
  });
});

describe('frames of a key', () => {
  const frames = (text: string): string[] =>
    keyFrames(new TextEncoder().encode(text)).map((frame) => new TextDecoder().decode(frame));

  it.each(['\x1b[1;2R', '\x1b[1;3R', '\x1b[1;5R', '\x1b[1;8R'])(
    '%j can be taken for no report, and is whole',
    (key) => {
      expect(frames(key)).toEqual([key.slice(0, -1), 'R']);
    },
  );
  it.each(['\x1bOR', '\x1bR', 'R', '\x1b[1;2Q', '\x1b[A', 'a', '\x03'])('%j is one', (key) => {
    expect(frames(key)).toEqual([key]);
  });
});
