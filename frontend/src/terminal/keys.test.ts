import { describe, expect, it } from 'vitest';
import { ClipboardConsent, CLIPBOARD_MAX_CHARACTERS, type Consent } from './clipboard-consent.ts';
import { fittedFont, sizeThatFits } from './fit.ts';
import { barKeySequence, keyAction, withControl, type KeyPress } from './keys.ts';
import { judgePaste, lineCount, PASTE_MAX_BYTES } from './paste.ts';
import { defaultTerminalSettings, soundSettings } from './settings.ts';

const press = (part: Partial<KeyPress>): KeyPress => ({
  type: 'keydown',
  key: '',
  code: '',
  ctrlKey: false,
  shiftKey: false,
  altKey: false,
  metaKey: false,
  isComposing: false,
  ...part,
});
const context = { hasSelection: false, copyWithCtrlC: true, pasteWithCtrlV: true, runsCli: true };
const ctrlShift = { ctrlKey: true, shiftKey: true };

describe('keys', () => {
  it('leave everything else to the program', () => {
    for (const code of ['KeyC', 'KeyK', 'KeyF', 'KeyW', 'KeyR', 'KeyZ', 'Escape', 'F1']) {
      expect(keyAction(press({ code, ctrlKey: true }), context)).toBeNull();
      expect(keyAction(press({ code, altKey: true }), context)).toBeNull();
    }
  });
  it.each([
    ['KeyC', 'copy'],
    ['KeyV', 'paste'],
    ['KeyF', 'search'],
    ['KeyK', 'page'],
    ['KeyP', 'page'],
  ])('Ctrl+Shift+%s is %s in any layout', (code, action) => {
    expect(keyAction(press({ ...ctrlShift, code, key: 'ъ' }), context)).toBe(action);
  });
  it('letters are those of a Latin layout, wherever it has them', () => {
    expect(keyAction(press({ ctrlKey: true, code: 'KeyV', key: 'k' }), context)).toBeNull();
    expect(keyAction(press({ ctrlKey: true, code: 'Period', key: 'v' }), context)).toBe('paste');
  });
  it('Ctrl+C copies only a selection, and only when that is wanted', () => {
    const ctrlC = press({ ctrlKey: true, code: 'KeyC' });
    expect(keyAction(ctrlC, { ...context, hasSelection: true })).toBe('copy');
    expect(keyAction(ctrlC, { ...context, hasSelection: true, copyWithCtrlC: false })).toBeNull();
  });
  it('Ctrl+V pastes where that is wanted, and nothing close to it does', () => {
    const ctrlV = press({ ctrlKey: true, code: 'KeyV', key: 'м' });
    expect(keyAction(ctrlV, context)).toBe('paste');
    expect(keyAction(ctrlV, { ...context, pasteWithCtrlV: false })).toBeNull();
    expect(keyAction({ ...ctrlV, altKey: true }, context)).toBeNull();
    expect(keyAction({ ...ctrlV, metaKey: true }, context)).toBeNull();
    expect(keyAction({ ...ctrlV, ctrlKey: false }, context)).toBeNull();
  });
  it('Shift+Enter is a new line for the CLI and nothing else for a shell', () => {
    const shiftEnter = press({ key: 'Enter', shiftKey: true });
    expect(keyAction(shiftEnter, context)).toBe('newline');
    expect(keyAction(shiftEnter, { ...context, runsCli: false })).toBeNull();
    expect(keyAction({ ...shiftEnter, isComposing: true }, context)).toBeNull();
  });
});

describe('the key bar', () => {
  const plain = { ctrl: false, applicationCursor: false };
  it('sends what a keyboard would', () => {
    expect(barKeySequence('escape', plain)).toBe('\x1b');
    expect(barKeySequence('enter', plain)).toBe('\r');
    expect(barKeySequence('up', plain)).toBe('\x1b[A');
    expect(barKeySequence('up', { ...plain, applicationCursor: true })).toBe('\x1bOA');
    expect(barKeySequence('left', { ctrl: true, applicationCursor: true })).toBe('\x1b[1;5D');
  });
  it('makes control characters while Ctrl is held', () => {
    expect(['c', 'C', '[', ' ', '@', '?', 'd'].map(withControl)).toEqual([
      '\x03',
      '\x03',
      '\x1b',
      '\0',
      '\0',
      '\x7f',
      '\x04',
    ]);
    expect(['1', 'ü', '日本', '', '\x1b[A'].map(withControl)).toEqual(['1', 'ü', '日本', '', '\x1b[A']);
  });
});

describe('paste', () => {
  const shell = { runsCli: false, bracketedPaste: false };
  it.each<[string, { runsCli: boolean; bracketedPaste: boolean }, string]>([
    ['ls', shell, 'paste'],
    ['ls\n', shell, 'ask'],
    ['a\nb', shell, 'ask'],
    ['a\rb', { ...shell, bracketedPaste: true }, 'ask'],
    ['ls\n', { ...shell, bracketedPaste: true }, 'paste'],
    ['a\nb\nc', { runsCli: true, bracketedPaste: true }, 'paste'],
    ['x'.repeat(PASTE_MAX_BYTES + 1), { runsCli: true, bracketedPaste: true }, 'too-long'],
  ])('%j', (text, target, decision) => {
    expect(judgePaste(text, target)).toBe(decision);
  });
  it('counts lines as people do', () => {
    expect(['a', 'a\n', 'a\nb', 'a\r\nb\r\n', 'a\n\nb'].map(lineCount)).toEqual([1, 1, 2, 2, 3]);
  });
});

describe('the clipboard of the person', () => {
  const consentWith = (answer: Consent) => {
    const copied: string[] = [];
    let asked = 0;
    const consent = new ClipboardConsent({
      ask: async () => {
        asked += 1;
        await Promise.resolve();
        return answer;
      },
      copy: (text) => {
        copied.push(text);
        return Promise.resolve(true);
      },
    });
    return { consent, copied, asked: () => asked };
  };
  it('gets a program’s text after a yes, each time', async () => {
    const { consent, copied, asked } = consentWith('once');
    expect([await consent.write('a'), await consent.write('b')]).toEqual([true, true]);
    expect(copied).toEqual(['a', 'b']);
    expect(asked()).toBe(2);
  });
  it('is left alone after a no, without asking again', async () => {
    const { consent, copied, asked } = consentWith('never');
    expect([await consent.write('a'), await consent.write('b')]).toEqual([false, false]);
    expect(copied).toEqual([]);
    expect(asked()).toBe(1);
  });
  it('is not asked about in a flood, or for a text without measure', async () => {
    const { consent, asked } = consentWith('once');
    await Promise.all(Array.from({ length: 50 }, () => consent.write('x')));
    expect(asked()).toBe(1);
    expect(await consent.write('x'.repeat(CLIPBOARD_MAX_CHARACTERS + 1))).toBe(false);
  });
});

describe('size', () => {
  it('is offered for the chosen font, whatever font is in use', () => {
    expect(sizeThatFits({ cols: 200, rows: 60 }, 6.5, 13)).toEqual({ columns: 100, rows: 30 });
    expect(sizeThatFits({ cols: NaN, rows: 10 }, 13, 13)).toBeNull();
    expect(sizeThatFits({ cols: 5_000, rows: 0 }, 13, 13)).toEqual({ columns: 1_000, rows: 1 });
  });
  it.each([
    ['the same', { columns: 100, rows: 30 }, 13],
    ['wider', { columns: 130, rows: 30 }, 10],
    ['higher', { columns: 100, rows: 39 }, 10],
    ['smaller', { columns: 50, rows: 10 }, 13],
  ])('of another owner makes the font smaller until all of it fits, never larger: %s', (_name, size, fontSize) => {
    expect(fittedFont(size, { cols: 100, rows: 30 }, { current: 13, base: 13 })).toEqual({ fontSize, whole: true });
  });
  it('of another owner that only an unreadable font would fit is seen in part', () => {
    const phone = { current: 12, base: 12 };
    expect(fittedFont({ columns: 163, rows: 41 }, { cols: 52, rows: 30 }, phone)).toEqual({
      fontSize: 8,
      whole: false,
    });
    expect(fittedFont({ columns: 163, rows: 41 }, { cols: 78, rows: 45 }, { ...phone, current: 8 }).whole).toBe(false);
    expect(fittedFont({ columns: 78, rows: 45 }, { cols: 78, rows: 45 }, { ...phone, current: 8 }).whole).toBe(true);
  });
});

describe('stored settings', () => {
  it.each([
    null,
    'x',
    [],
    { fontSize: 900 },
    { fontSize: '13', scrollbackLines: 7, renderer: 1, copyWithCtrlC: 'yes', pasteWithCtrlV: 0 },
  ])('%j are made usable', (stored) => {
    expect(soundSettings(stored)).toEqual(defaultTerminalSettings);
  });
  it('keep what is valid', () => {
    expect(soundSettings({ fontSize: 16, renderer: 'dom', pasteWithCtrlV: false, screenReader: true })).toEqual({
      ...defaultTerminalSettings,
      fontSize: 16,
      renderer: 'dom',
      pasteWithCtrlV: false,
      screenReader: true,
    });
  });
});
