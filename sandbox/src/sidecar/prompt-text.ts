import type { Screen } from './control-client.ts';

/** What `!` in front makes of a prompt in Claude's transcript. */
const SHELL_INPUT = /^<bash-input>([\s\S]*)<\/bash-input>$/;

/**
 * A prompt as it can be compared with what a CLI says it received: control characters are not pasted, invisible
 * ones go, others arrive composed, large pastes wrapped, tabs become spaces, trailing white space goes.
 */
const normalisePrompt = (text: string): string =>
  text
    .toWellFormed()
    .replace(SHELL_INPUT, '!$1')
    .replace(/[^\P{Cc}\t\r\n]/gu, '')
    .replace(/[\p{Cf}\p{Default_Ignorable_Code_Point}]/gu, '')
    .normalize('NFC')
    .replace(/<\/?pasted_content\b[^<>]*>/g, ' ')
    .replace(/\s+/g, ' ')
    .trim();

/** Whether a received prompt is the one that was sent. */
export const isPrompt = (received: string, sent: string): boolean => {
  const text = normalisePrompt(sent);
  return text !== '' && normalisePrompt(received) === text;
};

/** So much of a prompt is nowhere by chance. */
const TELLING_CHARACTERS = 8;

/**
 * Whether a received prompt is the one that was sent, or ends with it: text left in the box may stand before it. The end of
 * what somebody typed may be a short prompt by chance.
 */
export const holdsPrompt = (received: string, sent: string): boolean => {
  const text = normalisePrompt(sent);
  const taken = normalisePrompt(received);
  return text !== '' && (taken === text || (text.length >= TELLING_CHARACTERS && taken.endsWith(text)));
};

/** A backslash before Enter makes a new line instead of sending; white space at the end is no part of a prompt. */
export const submittable = (text: string): string => (text.endsWith('\\') ? `${text} ` : text);

/** `*` is Gemini's prompt while nothing asks for permission. */
const BOX_START = /^\s*[│┃|]?\s*[❯›>*]\s?/u;
const BOX_END = /[│┃|]$/u;
/** Screens are what programs in the sandbox make of them. */
const MAX_LINE_CHARACTERS = 1_000;
const PLACEHOLDER = /^(?:Ask Codex to do anything|Type your message or @path\/to\/file|Try ".*)$/;

/** What stands in the input box of a CLI's screen, null when no box can be made out. Only ever used to tell empty from not empty. */
export const inputBoxText = (screen: Pick<Screen, 'lines'>): string | null => {
  for (let row = screen.lines.length - 1; row >= 0; row -= 1) {
    const line = (screen.lines[row] ?? '').slice(0, MAX_LINE_CHARACTERS);
    const start = BOX_START.exec(line);
    if (start === null) continue;
    const text = line.slice(start[0].length).trim().replace(BOX_END, '').replaceAll('\u00a0', ' ').trim();
    return PLACEHOLDER.test(text) ? '' : text;
  }
  return null;
};

/** Stands for a large paste. */
const PASTE_SIGN = /^\[Pasted (?:text|Content)\b/i;

/** Whether the box still shows the beginning of a prompt, or the sign that stands for a large paste. */
export const boxShowsPrompt = (box: string | null, sent: string): boolean => {
  if (box === null || box === '') return false;
  const shown = normalisePrompt(box);
  return normalisePrompt(sent).startsWith(shown.slice(0, 40)) || PASTE_SIGN.test(shown);
};

/** Whether a prompt stands in the box behind other text, so that it cannot be sent as it is. */
export const boxShowsPromptBehindText = (box: string | null, sent: string): boolean => {
  const shown = normalisePrompt(box ?? '');
  const text = normalisePrompt(sent);
  return Array.from(shown, (_, index) => shown.slice(index))
    .slice(1)
    .some((end) => end === text || PASTE_SIGN.test(end) || (end.length >= TELLING_CHARACTERS && text.startsWith(end)));
};

/** Slash commands are handled by the CLI itself: most fire no hook that tells of them. It leaves invisible characters out first. */
export const isBuiltIn = (text: string): boolean => /^\/[A-Za-z][\w:-]*(?:\s|$)/.test(normalisePrompt(text));

/** Begins a new conversation, which a hook does tell of. */
export const isClear = (text: string): boolean => /^\/clear\b/.test(normalisePrompt(text));
