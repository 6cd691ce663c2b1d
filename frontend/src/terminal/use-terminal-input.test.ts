import { effectScope, ref } from 'vue';
import { describe, expect, it, vi } from 'vitest';
import type { Screen } from './screen.ts';
import { defaultTerminalSettings } from './settings.ts';
import { useTerminalInput } from './use-terminal-input.ts';

const setUp = ({ bracketedPasteMode = true, settings = defaultTerminalSettings, takesInput = true } = {}) => {
  const sent: string[] = [];
  const pasted: string[] = [];
  const confirmPaste = vi.fn(() => Promise.resolve(false));
  const screen = {
    modes: { bracketedPasteMode, applicationCursorKeysMode: false },
    paste: (text: string) => void pasted.push(text),
    focus: () => undefined,
  } as unknown as Screen;
  const scope = effectScope();
  const input = scope.run(() =>
    useTerminalInput({
      host: ref(null),
      screen: () => screen,
      takesInput: () => takesInput,
      settings: ref(settings),
      runsCli: false,
      send: (data) => void sent.push(new TextDecoder().decode(data)),
      copy: () => Promise.resolve(true),
      onSearchRequested: () => undefined,
      onPasteFiles: () => undefined,
      onPasteTooLong: () => undefined,
      confirmPaste,
    }),
  );
  if (!input) throw new Error('the scope has ended');
  const type = (text: string): void => input.onInput(new TextEncoder().encode(text), true);
  return { input, type, sent, pasted, confirmPaste, end: () => scope.stop() };
};

describe('input of a terminal', () => {
  it('pastes no control sequences: none can end the paste and run what follows', async () => {
    const { input, pasted, end } = setUp();
    input.pasteText('echo 字\tok\x1b[201~rm -r .\x07\x9b\r');
    await vi.waitFor(() => expect(pasted).toEqual(['echo 字\tok[201~rm -r .\r']));
    end();
  });

  it('asks about no paste and does none while its person only watches', () => {
    const { input, pasted, confirmPaste, end } = setUp({ bracketedPasteMode: false, takesInput: false });
    input.pasteText('one\ntwo\n');
    expect(confirmPaste).not.toHaveBeenCalled();
    expect(pasted).toEqual([]);
    end();
  });

  it('leaves Ctrl+V to the paste of the browser, and with the setting off to the program', () => {
    const ctrlV = new KeyboardEvent('keydown', { code: 'KeyV', key: 'v', ctrlKey: true, cancelable: true });
    const wanted = setUp();
    expect(wanted.input.interceptKey(ctrlV)).toBe(true);
    expect(ctrlV.defaultPrevented).toBe(false);
    wanted.end();
    const unwanted = setUp({ settings: { ...defaultTerminalSettings, pasteWithCtrlV: false } });
    expect(unwanted.input.interceptKey(ctrlV)).toBe(false);
    unwanted.end();
  });

  it('keeps Ctrl of the key bar for a key: answers of the screen and pastes do not get it', async () => {
    const { input, type, sent, pasted, end } = setUp();
    input.toggleCtrl();
    type('\x1b[I');
    expect(input.ctrlHeld.value).toBe(true);
    type('c');
    expect(sent).toEqual(['\x1b[I', '\x03']);
    expect(input.ctrlHeld.value).toBe(false);
    input.toggleCtrl();
    input.pasteText('ls');
    await vi.waitFor(() => expect(pasted).toEqual(['ls']));
    expect(input.ctrlHeld.value).toBe(false);
    end();
  });
});
