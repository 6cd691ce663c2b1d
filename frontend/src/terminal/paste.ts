/** The server's input queue holds this much; a longer text belongs into a file. */
export const PASTE_MAX_BYTES = 1024 * 1024;

/** A paste as it may reach a program: a control sequence in it could end the paste early, and what follows would run as if typed. */
export const pastable = (text: string): string => text.replace(/[^\P{Cc}\t\r\n]/gu, '');

export type PasteDecision = 'paste' | 'ask' | 'too-long';

/**
 * Several lines pasted into a shell run as several commands, so a person is asked first. Programs that take a
 * paste as a whole (bracketed paste) show it before anything happens, and the CLI always does.
 */
export const judgePaste = (
  text: string,
  target: { readonly runsCli: boolean; readonly bracketedPaste: boolean },
): PasteDecision => {
  if (new TextEncoder().encode(text).length > PASTE_MAX_BYTES) return 'too-long';
  const severalLines = /[\r\n]/.test(text.replace(/[\r\n]+$/, ''));
  const endsWithEnter = /[\r\n]$/.test(text);
  const runsAtOnce = !target.bracketedPaste && (severalLines || endsWithEnter);
  return !target.runsCli && (severalLines || runsAtOnce) ? 'ask' : 'paste';
};

/** Number of lines as a person counts them. */
export const lineCount = (text: string): number => text.replace(/(\r\n|\r|\n)$/, '').split(/\r\n|\r|\n/).length;
