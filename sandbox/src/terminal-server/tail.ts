import type { Size } from '@sac/contracts';
import { bounds } from './constants.ts';

/** The terminal got a new size exactly before the byte at `offset`. */
export interface SizeEvent {
  readonly sequence: number;
  readonly offset: number;
  readonly size: Size;
}

/** The last bytes of a stream, by absolute offset, with the size changes that lie among them. */
export class Tail {
  #ring: Buffer;
  #end = 0;
  #kept = 0;
  #baseSize: Size;
  #events: SizeEvent[] = [];
  #nextSequence = 0;

  constructor(capacityBytes: number, size: Size) {
    // Not zeroed: pages become resident only as output fills them.
    this.#ring = Buffer.allocUnsafeSlow(capacityBytes);
    this.#baseSize = size;
  }

  /** Offset of the oldest byte still held. */
  get start(): number {
    return this.#end - this.#kept;
  }

  /** Offset after the newest byte. */
  get end(): number {
    return this.#end;
  }

  get nextSequence(): number {
    return this.#nextSequence;
  }

  append(bytes: Uint8Array): void {
    const capacity = this.#ring.length;
    if (capacity === 0) return;
    const kept = bytes.length > capacity ? bytes.subarray(bytes.length - capacity) : bytes;
    const from = (this.#end + bytes.length - kept.length) % capacity;
    const first = Math.min(kept.length, capacity - from);
    this.#ring.set(kept.subarray(0, first), from);
    this.#ring.set(kept.subarray(first), 0);
    this.#end += bytes.length;
    this.#kept = Math.min(capacity, this.#kept + bytes.length);
    this.#forgetEventsBefore(this.start);
  }

  resize(size: Size): void {
    this.#events.push({ sequence: this.#nextSequence++, offset: this.#end, size });
    const excess = this.#events[this.#events.length - bounds.sizeEvents];
    // Never more events than bytes of interest: older bytes go with their events, so replay stays exact.
    if (this.#events.length > bounds.sizeEvents && excess !== undefined) {
      this.#kept = Math.min(this.#kept, this.#end - excess.offset);
      this.#forgetEventsBefore(this.start);
      const surplus = this.#events.length - bounds.sizeEvents;
      if (surplus > 0) this.#baseSize = this.#events.splice(0, surplus).at(-1)?.size ?? this.#baseSize;
    }
  }

  /** Size in force for the byte at `offset`, and the sequence number of the first event after that. */
  sizeAt(offset: number): { readonly size: Size; readonly nextSequence: number } {
    let size = this.#baseSize;
    let nextSequence = this.#events[0]?.sequence ?? this.#nextSequence;
    for (const event of this.#events) {
      if (event.offset > offset) break;
      size = event.size;
      nextSequence = event.sequence + 1;
    }
    return { size, nextSequence };
  }

  /** The first size change with at least this sequence number. */
  eventFrom(sequence: number): SizeEvent | undefined {
    const first = this.#events[0];
    return first === undefined ? undefined : this.#events[Math.max(0, sequence - first.sequence)];
  }

  /** Gives the memory back. From then on nothing before the end can be replayed. */
  release(): void {
    this.#kept = 0;
    this.#ring = Buffer.alloc(0);
    this.#forgetEventsBefore(this.#end);
  }

  /** Copies bytes `from` .. `to` (both within the tail) into `target` at `at`. */
  copy(from: number, to: number, target: Buffer, at: number): void {
    const capacity = this.#ring.length;
    const begin = from % capacity;
    const first = Math.min(to - from, capacity - begin);
    this.#ring.copy(target, at, begin, begin + first);
    this.#ring.copy(target, at + first, 0, to - from - first);
  }

  #forgetEventsBefore(offset: number): void {
    let forget = 0;
    while ((this.#events[forget]?.offset ?? Infinity) < offset) forget++;
    if (forget > 0) this.#baseSize = this.#events.splice(0, forget).at(-1)?.size ?? this.#baseSize;
  }
}
