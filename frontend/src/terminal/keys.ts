import { keyLetter } from '../lib/key-letter.ts';

/** What a key press in a focused terminal means to the page; null: it belongs to the program. */
export type KeyAction = 'copy' | 'paste' | 'search' | 'newline' | 'page';

export interface KeyPress {
  readonly type: string;
  readonly key: string;
  readonly code: string;
  readonly ctrlKey: boolean;
  readonly shiftKey: boolean;
  readonly altKey: boolean;
  readonly metaKey: boolean;
  readonly isComposing: boolean;
}

export interface KeyContext {
  readonly hasSelection: boolean;
  /** Setting: Ctrl+C copies when something is selected. */
  readonly copyWithCtrlC: boolean;
  /** Setting: Ctrl+V pastes. */
  readonly pasteWithCtrlV: boolean;
  /** The CLI takes Shift+Enter as a new line in the prompt; a shell has no such thing. */
  readonly runsCli: boolean;
}

const ctrlShiftActions: Readonly<Record<string, KeyAction>> = { c: 'copy', v: 'paste', f: 'search' };

/**
 * Ctrl+Shift combinations belong to the page, so that every other key can reach the program; what people press to
 * copy and paste everywhere else is a setting.
 */
export const keyAction = (press: KeyPress, context: KeyContext): KeyAction | null => {
  if (press.isComposing || press.metaKey) return null;
  const letter = keyLetter(press) ?? '';
  if (press.ctrlKey && press.shiftKey && !press.altKey) return ctrlShiftActions[letter] ?? 'page';
  const plainCtrl = press.ctrlKey && !press.shiftKey && !press.altKey;
  if (plainCtrl && letter === 'c' && context.hasSelection && context.copyWithCtrlC) return 'copy';
  if (plainCtrl && letter === 'v' && context.pasteWithCtrlV) return 'paste';
  const shiftEnter = press.key === 'Enter' && press.shiftKey && !press.ctrlKey && !press.altKey;
  return shiftEnter && context.runsCli ? 'newline' : null;
};

/** Escape and carriage return, which the CLIs read as "new line, do not send". */
export const CLI_NEWLINE = '\x1b\r';

export const barKeys = ['escape', 'tab', 'up', 'down', 'left', 'right', 'enter'] as const;
export type BarKey = (typeof barKeys)[number];

const arrowLetters: Partial<Record<BarKey, string>> = { up: 'A', down: 'B', right: 'C', left: 'D' };
const plainKeys: Partial<Record<BarKey, string>> = { escape: '\x1b', tab: '\t', enter: '\r' };

/** Bytes of a key of the phone's key bar. `applicationCursor`: the program has asked for the other arrow codes. */
export const barKeySequence = (
  key: BarKey,
  modifiers: { readonly ctrl: boolean; readonly applicationCursor: boolean },
): string => {
  const letter = arrowLetters[key];
  if (letter === undefined) return plainKeys[key] ?? '';
  if (modifiers.ctrl) return `\x1b[1;5${letter}`;
  return modifiers.applicationCursor ? `\x1bO${letter}` : `\x1b[${letter}`;
};

/** The control character of typed text while Ctrl is held on the key bar; text without one stays as it is. */
export const withControl = (text: string): string => {
  const [first = '', ...rest] = [...text];
  const upper = first.toUpperCase();
  if (first === ' ') return ['\0', ...rest].join('');
  if (first === '?') return ['\x7f', ...rest].join('');
  return upper.length === 1 && upper >= '@' && upper <= '_'
    ? [String.fromCharCode(upper.charCodeAt(0) & 0x1f), ...rest].join('')
    : text;
};
