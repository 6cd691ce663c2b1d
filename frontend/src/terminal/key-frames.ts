import { splitInput } from '@sac/contracts';

const ESCAPE = 0x1b;
const BRACKET = '['.charCodeAt(0);
const LAST_OF_F3 = 'R'.charCodeAt(0);

/** `ESC [ 1 ; 2 R`: F3 with Shift, Ctrl or Alt, and byte for byte what a screen answers when it is asked for its cursor. */
const looksLikeReport = (key: Uint8Array): boolean =>
  key[0] === ESCAPE && key[1] === BRACKET && key.at(-1) === LAST_OF_F3;

/**
 * The frames of a key. The server drops a frame that is an answer of a screen, unless it listens to this one's; it cannot
 * know that a person pressed F3. No half of an answer is one, so the key goes in two, which the program gets in a row.
 */
export const keyFrames = (key: Uint8Array): readonly Uint8Array[] =>
  looksLikeReport(key) ? [key.subarray(0, -1), key.subarray(-1)] : splitInput(key);
