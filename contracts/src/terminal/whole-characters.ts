const LONGEST_CHARACTER_BYTES = 4;
const NOTHING = new Uint8Array(0);

/** Bytes of the character that this byte begins; 1 for what begins none. */
const lengthFrom = (lead: number): number => {
  if (lead < 0xc2 || lead > 0xf4) return 1;
  if (lead < 0xe0) return 2;
  return lead < 0xf0 ? 3 : 4;
};

/** How many bytes at the end begin a character whose other bytes have not come: 0 to 3. */
const unfinishedBytes = (bytes: Uint8Array): number => {
  const limit = Math.min(bytes.length, LONGEST_CHARACTER_BYTES - 1);
  for (let count = 1; count <= limit; count += 1) {
    const byte = bytes[bytes.length - count] ?? 0;
    const isContinuation = byte >= 0x80 && byte < 0xc0;
    if (!isContinuation) return lengthFrom(byte) > count ? count : 0;
  }
  return 0;
};

/**
 * Makes pieces of a UTF-8 stream end with whole characters, for xterm.js: its decoder (6.0.0) forgets a byte 0x80 that ends
 * a piece inside a character, so that every “…”, “—” or “、” cut after its second byte would be lost, or the one after it.
 */
export class WholeCharacters {
  #rest = NOTHING;

  /** Bytes taken that belong to the next piece. */
  get rest(): Uint8Array {
    return this.#rest;
  }

  /** @returns what was left over before and `bytes`, without an unfinished character at the end; may be a view of `bytes` */
  take(bytes: Uint8Array): Uint8Array {
    const joined = this.#rest.length === 0 ? bytes : concat(this.#rest, bytes);
    const count = unfinishedBytes(joined);
    // A copy: a view would keep the whole piece alive.
    this.#rest = count === 0 ? NOTHING : joined.slice(joined.length - count);
    return count === 0 ? joined : joined.subarray(0, joined.length - count);
  }

  /** Forgets what was left over: another stream begins. */
  clear(): void {
    this.#rest = NOTHING;
  }
}

const concat = (one: Uint8Array, other: Uint8Array): Uint8Array => {
  const joined = new Uint8Array(one.length + other.length);
  joined.set(one);
  joined.set(other, one.length);
  return joined;
};
