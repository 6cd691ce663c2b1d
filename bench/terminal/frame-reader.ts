const FIN_AND_OPCODE_BYTES = 1;
const opcode = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const;

export interface FrameHandlers {
  /** Payload bytes behind the type byte, in pieces as they arrive; views that are valid during the call only. */
  onPayload(type: number, piece: Uint8Array): void;
  /** Called when a data frame is complete. */
  onFrameEnd(type: number): void;
  onPing(payload: Uint8Array): void;
  onClose(): void;
}

/**
 * Reads a WebSocket stream as it comes and allocates nothing for data: a peer that costs more than what is measured
 * would be measured instead. Takes masked and unmasked frames; our own ends mask with zeros, which need no undoing.
 */
export class FrameReader {
  readonly #handlers: FrameHandlers;
  readonly #header = Buffer.alloc(14);
  #headerLength = 0;
  #headerNeeded = 2;
  #opcode = 0;
  #leftBytes = 0;
  /** Null when there is nothing to undo. */
  #mask: Buffer | null = null;
  #maskAt = 0;
  /** Type byte of the message under way; -1 before it came. */
  #type = -1;
  #control: Buffer[] = [];

  constructor(handlers: FrameHandlers) {
    this.#handlers = handlers;
  }

  push(chunk: Uint8Array): void {
    let at = 0;
    while (at < chunk.length) {
      if (this.#headerNeeded > 0) {
        at = this.#readHeader(chunk, at);
        if (this.#headerNeeded > 0) return;
        if (this.#leftBytes === 0) this.#endFrame();
        continue;
      }
      const end = Math.min(chunk.length, at + this.#leftBytes);
      this.#leftBytes -= end - at;
      this.#payload(this.#unmasked(chunk.subarray(at, end)));
      at = end;
      if (this.#leftBytes === 0) this.#endFrame();
    }
  }

  #readHeader(chunk: Uint8Array, from: number): number {
    let at = from;
    while (at < chunk.length && this.#headerLength < this.#headerNeeded) {
      this.#header[this.#headerLength++] = chunk[at++] ?? 0;
      if (this.#headerLength === FIN_AND_OPCODE_BYTES + 1) this.#headerNeeded = this.#fullHeaderLength();
    }
    if (this.#headerLength === this.#headerNeeded) this.#startFrame();
    return at;
  }

  #fullHeaderLength(): number {
    const second = this.#header[1] ?? 0;
    const length = second & 0x7f;
    return 2 + (length === 127 ? 8 : length === 126 ? 2 : 0) + (second & 0x80 ? 4 : 0);
  }

  #startFrame(): void {
    const short = (this.#header[1] ?? 0) & 0x7f;
    this.#opcode = (this.#header[0] ?? 0) & 0x0f;
    this.#leftBytes =
      short === 127 ? Number(this.#header.readBigUInt64BE(2)) : short === 126 ? this.#header.readUInt16BE(2) : short;
    const mask =
      (this.#header[1] ?? 0) & 0x80 ? this.#header.subarray(this.#headerNeeded - 4, this.#headerNeeded) : null;
    this.#mask = mask?.some((byte) => byte !== 0) ? Buffer.from(mask) : null;
    this.#maskAt = 0;
    this.#headerLength = 0;
    this.#headerNeeded = 0;
  }

  #unmasked(piece: Uint8Array): Uint8Array {
    const mask = this.#mask;
    if (mask === null) return piece;
    const from = this.#maskAt;
    this.#maskAt += piece.length;
    return piece.map((byte, at) => byte ^ (mask[(from + at) % 4] ?? 0));
  }

  #payload(piece: Uint8Array): void {
    if (this.#opcode >= opcode.close) this.#control.push(Buffer.from(piece));
    else if (this.#type >= 0) this.#handlers.onPayload(this.#type, piece);
    else {
      this.#type = piece[0] ?? 0;
      if (piece.length > 1) this.#handlers.onPayload(this.#type, piece.subarray(1));
    }
  }

  #endFrame(): void {
    this.#headerNeeded = 2;
    const type = this.#type;
    if (this.#opcode >= opcode.close) {
      const payload = Buffer.concat(this.#control);
      this.#control = [];
      if (this.#opcode === opcode.ping) this.#handlers.onPing(payload);
      else if (this.#opcode === opcode.close) this.#handlers.onClose();
    } else if ((this.#header[0] ?? 0) & 0x80) {
      this.#type = -1;
      this.#handlers.onFrameEnd(type);
    }
  }
}

/** One final frame with an all-zero mask when `masked`, which is a valid mask. At most 65,535 bytes. */
export const frameOf = (
  payload: Uint8Array,
  { masked, code = opcode.binary as number }: { masked: boolean; code?: number },
): Buffer => {
  const long = payload.length > 125;
  if (payload.length > 65_535) throw new RangeError(`${payload.length} bytes in one frame, at most 65,535`);
  const header = Buffer.alloc(2 + (long ? 2 : 0) + (masked ? 4 : 0));
  header[0] = 0x80 | code;
  header[1] = (masked ? 0x80 : 0) | (long ? 126 : payload.length);
  if (long) header.writeUInt16BE(payload.length, 2);
  return Buffer.concat([header, payload]);
};

export const pongOf = (payload: Uint8Array, masked: boolean): Buffer => frameOf(payload, { masked, code: opcode.pong });
