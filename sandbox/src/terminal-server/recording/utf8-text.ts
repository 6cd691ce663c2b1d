import { isUtf8 } from 'node:buffer';

const CONTINUATION_MASK = 0xc0;
const CONTINUATION = 0x80;
const MAX_CHARACTER_BYTES = 4;

/** Bytes of the character that begins with `lead`; 0 when none begins with it. */
const lengthOf = (lead: number): number => {
  if (lead < 0x80) return 1;
  if (lead < 0xc2 || lead > 0xf4) return 0;
  if (lead < 0xe0) return 2;
  return lead < 0xf0 ? 3 : 4;
};

/** How many bytes at the end begin a character whose rest has not come yet. */
const unfinishedAtEnd = (bytes: Uint8Array): number => {
  for (let back = 1; back < MAX_CHARACTER_BYTES && back <= bytes.length; back++) {
    const byte = bytes[bytes.length - back] ?? 0;
    if ((byte & CONTINUATION_MASK) === CONTINUATION) continue;
    return lengthOf(byte) > back ? back : 0;
  }
  return 0;
};

/** Leaves out what is no character. Terminals do the same, so the text shows what the bytes showed. */
const withoutInvalid = (bytes: Uint8Array): Buffer => {
  const kept = Buffer.allocUnsafe(bytes.length);
  let length = 0;
  for (let at = 0; at < bytes.length;) {
    const count = lengthOf(bytes[at] ?? 0);
    const character = bytes.subarray(at, at + count);
    if (count === 0 || character.length < count || !isUtf8(character)) {
      at++;
      continue;
    }
    kept.set(character, length);
    length += count;
    at += count;
  }
  return kept.subarray(0, length);
};

/** Turns a stream of bytes into text; a character cut between two pieces appears with the second. */
export class Utf8Text {
  #carried: Uint8Array = new Uint8Array(0);

  decode(bytes: Uint8Array): string {
    const whole = this.#carried.length === 0 ? bytes : Buffer.concat([this.#carried, bytes]);
    const end = whole.length - unfinishedAtEnd(whole);
    this.#carried = Uint8Array.from(whole.subarray(end));
    const complete = whole.subarray(0, end);
    const valid = isUtf8(complete) ? complete : withoutInvalid(complete);
    return Buffer.from(valid.buffer, valid.byteOffset, valid.byteLength).toString('utf8');
  }
}
