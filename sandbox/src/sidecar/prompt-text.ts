import type { Screen } from './control-client.ts';

/**
 * A prompt as it can be compared with what a CLI says it received: large pastes arrive wrapped, tabs become
 * spaces, trailing white space goes.
 */
const normalisePrompt = (text: string): string =>
  text
    .replace(/<\/?pasted_content\b[^>]*>/g, ' ')
    .replace(/\s+/g, ' ')
    .trim();

/** Whether a received prompt is, or holds, the one that was sent (text left in the box may stand before it). */
export const holdsPrompt = (received: string, sent: string): boolean => {
  const [whole, part] = [normalisePrompt(received), normalisePrompt(sent)];
  return part !== '' && (whole === part || whole.endsWith(part) || whole.includes(part));
};

const BOX_LINE = /^\s*[│┃|]?\s*[❯›>]\s?(.*?)\s*[│┃|]?\s*$/u;
const PLACEHOLDER = /^(?:Ask Codex to do anything|Type your message or @path\/to\/file|Try ".*)$/;

/** What stands in the input box of a CLI's screen, null when no box can be made out. Only ever used to tell empty from not empty. */
export const inputBoxText = (screen: Screen): string | null => {
  for (let row = screen.lines.length - 1; row >= 0; row -= 1) {
    const found = BOX_LINE.exec(screen.lines[row] ?? '');
    if (found === null) continue;
    const text = (found[1] ?? '').replaceAll('\u00a0', ' ').trim();
    return PLACEHOLDER.test(text) ? '' : text;
  }
  return null;
};

/** Whether the box still shows the beginning of a prompt, or the sign that stands for a large paste. */
export const boxShowsPrompt = (box: string | null, sent: string): boolean => {
  if (box === null || box === '') return false;
  const shown = normalisePrompt(box);
  return normalisePrompt(sent).startsWith(shown.slice(0, 40)) || /\[Pasted (?:text|Content)\b/i.test(shown);
};

/** Slash commands are handled by the CLI itself: most fire no hook that tells of them. */
export const isBuiltIn = (text: string): boolean => /^\/[A-Za-z][\w:-]*(?:\s|$)/.test(text.trim());
