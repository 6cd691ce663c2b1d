/** What of a key press tells the letter. */
export interface LetterPress {
  readonly key: string;
  readonly code: string;
}

/**
 * The Latin letter of a key press, small: the one its layout has there (AZERTY, Dvorak), and for a Cyrillic or Greek layout,
 * whose letters are others, the one at the same place of a keyboard. Null: no letter. The terminal and the frame both go by
 * it, so that what one keeps from the program the other acts on.
 */
export const keyLetter = ({ key, code }: LetterPress): string | null => {
  if (/^[a-z]$/i.test(key)) return key.toLowerCase();
  return /^Key([A-Z])$/.exec(code)?.[1]?.toLowerCase() ?? null;
};
