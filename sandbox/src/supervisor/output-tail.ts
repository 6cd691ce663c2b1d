import { stripVTControlCharacters } from 'node:util';

/** The last bytes of a stream, as plain text for a person. */
export class OutputTail {
  readonly #maxBytes: number;
  #kept = Buffer.alloc(0);

  constructor(maxBytes = 8_192) {
    this.#maxBytes = maxBytes;
  }

  add(bytes: Buffer): void {
    this.#kept = Buffer.concat([this.#kept, bytes]).subarray(-this.#maxBytes);
  }

  /** Without escape sequences and control characters; null when nothing was written. */
  text(): string | null {
    const plain = stripVTControlCharacters(this.#kept.toString('utf8'))
      .replace(/[^\P{Cc}\n\t]/gu, '')
      .trim();
    return plain === '' ? null : plain;
  }
}
