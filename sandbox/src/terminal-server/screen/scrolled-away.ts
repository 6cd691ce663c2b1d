/** A piece of output that a terminal need not draw, because the lines that follow it push all of it out of sight. */
export interface ScrolledAway {
  /** Offset of the line end from which on it may be left out. */
  readonly from: number;
  /** Offset of the line end with which drawing goes on. */
  readonly to: number;
  /** The colour sequences in it that still count, to be applied in its place. */
  readonly colors: Uint8Array;
}

const [LINE_FEED, CARRIAGE_RETURN, ESCAPE, BRACKET, C1_LEAD] = [0x0a, 0x0d, 0x1b, 0x5b, 0xc2];
const [SET_COLORS, ERASE_IN_LINE, ZERO] = [0x6d, 0x4b, 0x30];
const MAX_PARAMETERS = 64;

/** Printable bytes, UTF-8, tab and line ends move nothing but the cursor within lines that scroll away. */
const isPlain = new Uint8Array(256);
isPlain.fill(1, 0x20, 0x100);
for (const byte of [0x09, LINE_FEED, CARRIAGE_RETURN]) isPlain[byte] = 1;
isPlain[C1_LEAD] = 0;

const WORD_BYTES = 4;
const [SPACES, TOP_BITS] = [0x20202020, 0x80808080];

/** Offset of the first byte from `at` on that is not plain. Looks at four bytes at once while they are printable ASCII. */
const endOfPlain = (bytes: Uint8Array, words: Int32Array, at: number): number => {
  let index = at;
  while (index < bytes.length) {
    if (index % WORD_BYTES === 0) {
      let word = index / WORD_BYTES;
      for (; word < words.length; word++) {
        const four = words[word] ?? 0;
        if (((four | ((four - SPACES) & ~four)) & TOP_BITS) !== 0) break;
      }
      index = word * WORD_BYTES;
    }
    const stop = Math.min(index + WORD_BYTES - (index % WORD_BYTES), bytes.length);
    for (; index < stop; index++) if (isPlain[bytes[index] ?? 0] === 0) return index;
  }
  return index;
};

/** Empty where the bytes do not lie on a word's border: then each is looked at alone. */
const wordsOf = ({ buffer, byteOffset, length }: Uint8Array): Int32Array =>
  byteOffset % WORD_BYTES === 0
    ? new Int32Array(buffer, byteOffset, Math.floor(length / WORD_BYTES))
    : new Int32Array(0);

/** Length of the colour or erase-in-line sequence at `at`; 0 when there is something else or it is cut off. */
const lineSequenceLength = (bytes: Uint8Array, at: number): number => {
  if (bytes[at + 1] !== BRACKET) return 0;
  let end = at + 2;
  for (let byte = bytes[end]; byte !== undefined && byte >= ZERO && byte <= 0x3b && end - at < MAX_PARAMETERS;)
    byte = bytes[++end];
  return bytes[end] === SET_COLORS || bytes[end] === ERASE_IN_LINE ? end + 1 - at : 0;
};

/** Offset after the run of bytes that begins at `at` and changes nothing but lines and colours. */
const endOfRun = (bytes: Uint8Array, words: Int32Array, at: number): number => {
  let index = at;
  for (;;) {
    index = endOfPlain(bytes, words, index);
    const byte = bytes[index];
    // C1 controls (U+0080 to U+009F) have this lead; after it, everything else is text.
    if (byte === C1_LEAD && (bytes[index + 1] ?? 0) >= 0xa0) index += 2;
    else if (byte === ESCAPE && lineSequenceLength(bytes, index) > 0) index += lineSequenceLength(bytes, index);
    else return index;
  }
};

const lineEndFrom = (bytes: Uint8Array, at: number, end: number): number => {
  for (let index = bytes.indexOf(CARRIAGE_RETURN, at); index >= 0 && index + 1 < end;) {
    if (bytes[index + 1] === LINE_FEED) return index;
    index = bytes.indexOf(CARRIAGE_RETURN, index + 1);
  }
  return -1;
};

/** The last line end before `end` that is followed by at least `lines` line feeds; -1 when there is none after `from`. */
const lineEndBefore = (bytes: Uint8Array, from: number, end: number, lines: number): number => {
  let left = lines;
  for (
    let index = bytes.lastIndexOf(LINE_FEED, end - 1);
    index > from;
    index = bytes.lastIndexOf(LINE_FEED, index - 1)
  ) {
    if (left <= 0 && bytes[index - 1] === CARRIAGE_RETURN) return index - 1;
    left--;
  }
  return -1;
};

/** A reset makes everything before it forgotten. */
const isReset = (bytes: Uint8Array, at: number, length: number): boolean =>
  length === 3 || (length === 4 && bytes[at + 2] === ZERO);

const colorsIn = (bytes: Uint8Array, from: number, to: number): Uint8Array => {
  let kept: Uint8Array[] = [];
  for (let at = bytes.indexOf(ESCAPE, from); at >= 0 && at < to; at = bytes.indexOf(ESCAPE, at + 1)) {
    const length = lineSequenceLength(bytes, at);
    if (bytes[at + length - 1] !== SET_COLORS) continue;
    if (isReset(bytes, at, length)) kept = [];
    kept.push(bytes.subarray(at, at + length));
  }
  return kept.length === 0 ? new Uint8Array(0) : Buffer.concat(kept);
};

/**
 * Finds what a flood shows for no time at all: stretches of plain lines, each followed by at least `keptLines` more
 * of them. Leaving one out gives the same screen if, at its start, the parser is between sequences and the whole
 * screen scrolls, and `keptLines` is at least the scrollback and twice the screen (what stood below the cursor has to be
 * pushed out as well).
 */
export const findScrolledAway = (bytes: Uint8Array, keptLines: number): ScrolledAway[] => {
  const found: ScrolledAway[] = [];
  if (bytes.length <= 2 * keptLines) return found;
  const words = wordsOf(bytes);
  for (let at = 0; at < bytes.length;) {
    const end = endOfRun(bytes, words, at);
    const from = end - at > keptLines ? lineEndFrom(bytes, at, end) : -1;
    const to = from < 0 ? -1 : lineEndBefore(bytes, from, end, keptLines);
    if (to > from) found.push({ from, to, colors: colorsIn(bytes, from, to) });
    at = end + 1;
  }
  return found;
};
