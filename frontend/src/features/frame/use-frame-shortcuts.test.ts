import { afterEach, describe, expect, it, vi } from 'vitest';
import { defineComponent, h } from 'vue';
import { useUiStore } from '../../stores/ui.ts';
import { keyAction } from '../../terminal/keys.ts';
import { answerRequests, mountPage } from '../../testing/mount-page.ts';
import { neighbour, useFrameShortcuts } from './use-frame-shortcuts.ts';

describe('neighbour', () => {
  it('goes round in a ring and starts at either end', () => {
    expect(neighbour(0, 3, 1)).toBe(1);
    expect(neighbour(2, 3, 1)).toBe(0);
    expect(neighbour(0, 3, -1)).toBe(2);
    expect(neighbour(-1, 3, 1)).toBe(0);
    expect(neighbour(-1, 3, -1)).toBe(2);
  });
});

const Frame = defineComponent(() => {
  useFrameShortcuts();
  return () => [h('div', { class: 'xterm', tabindex: 0 }), h('main', { tabindex: 0 })];
});
const terminalContext = { hasSelection: false, copyWithCtrlC: true, pasteWithCtrlV: true, runsCli: true };

describe('the keys of the frame', () => {
  afterEach(() => {
    vi.unstubAllGlobals();
    document.body.replaceChildren();
  });
  const open = async () => {
    answerRequests();
    const { page } = await mountPage(Frame, {});
    const press = (selector: string, init: KeyboardEventInit): KeyboardEvent => {
      const event = new KeyboardEvent('keydown', { bubbles: true, cancelable: true, ctrlKey: true, ...init });
      page.get(selector).element.dispatchEvent(event);
      return event;
    };
    return { page, ui: useUiStore(), press };
  };

  it.each([
    ['English', 'K', 'KeyK'],
    ['Russian', 'Л', 'KeyK'],
    ['Greek', 'Κ', 'KeyK'],
    ['Dvorak', 'K', 'KeyV'],
  ])(
    'Ctrl+Shift+K in a terminal opens the palette with an %s layout: the key that the program does not get',
    async (_layout, key, code) => {
      const { page, ui, press } = await open();
      const event = press('.xterm', { key, code, shiftKey: true });
      expect(ui.paletteOpen).toBe(true);
      expect(event.defaultPrevented).toBe(true);
      expect(keyAction(event, terminalContext)).toBe('page');
      page.unmount();
    },
  );

  it.each([
    ['k', 'KeyK'],
    ['л', 'KeyK'],
  ])('Ctrl+%s is the palette elsewhere, and in a terminal the key of the program', async (key, code) => {
    const { page, ui, press } = await open();
    const event = press('.xterm', { key, code });
    expect(ui.paletteOpen).toBe(false);
    expect(keyAction(event, terminalContext)).toBeNull();
    press('main', { key, code });
    expect(ui.paletteOpen).toBe(true);
    page.unmount();
  });
});
