import { createHash } from 'node:crypto';

/** Payload bytes of one PTY read: the kernel never returns more. */
export const PTY_READ_BYTES = 4_095;
/** A whole number of PTY reads, so that a scripted flood needs few distinct frames. */
export const PATTERN_BYTES = 256 * PTY_READ_BYTES;
const [CARRIAGE_RETURN, NEWLINE] = [13, 10];

const makePattern = (): Buffer => {
  const blocks: Buffer[] = [];
  for (let index = 0; index * 32 < PATTERN_BYTES; index += 1)
    blocks.push(createHash('sha256').update(`sac ${index}`).digest());
  // Lines of 78 printable characters, ended as a terminal shows them.
  return Buffer.concat(blocks, PATTERN_BYTES).map((byte, at) =>
    at % 80 === 79 ? NEWLINE : at % 80 === 78 ? CARRIAGE_RETURN : 33 + (byte % 94),
  ) as Buffer;
};

const period = makePattern();
/** Twice in a row, so that any piece of up to one period is one slice, wherever it starts. */
const twice = Buffer.concat([period, period]);

/** The bytes every scripted stream has at `offset`: what arrives is compared, not only counted. */
export const patternAt = (offset: number, length: number): Buffer => {
  const start = offset % PATTERN_BYTES;
  return twice.subarray(start, start + length);
};

export const isPatternAt = (offset: number, piece: Uint8Array): boolean =>
  piece.length <= PATTERN_BYTES && patternAt(offset, piece.length).equals(piece);
