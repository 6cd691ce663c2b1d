/** Enough for a screen; touched pages of it are what an idle connection costs. */
const QUIET_BYTES = 8 * 1024;
/** What a flood moves with one read and one write. */
const FLOOD_BYTES = 512 * 1024;
/** Kept for the next flood; more than these are left to the garbage collector. */
const MAX_SPARE = 8;
/** Large ones in use, 32 MiB in all: who floods and does not read keeps one for minutes. Others flood with small ones. */
export const MAX_FLOODING = 64;

const spare: Buffer[] = [];
let flooding = 0;

/**
 * The buffer one connection reads into, reused for every read: a large one while it floods, so that ten thousand
 * connections that flooded once do not hold a large one each.
 */
export class ReadBuffer {
  readonly #quiet: Buffer = Buffer.allocUnsafeSlow(QUIET_BYTES);
  #current: Buffer = this.#quiet;

  /** Where the next read goes. */
  get current(): Buffer {
    return this.#current;
  }

  /** Takes effect with the read after the next chunk. Only while nothing of the last chunk waits to be written. */
  adapt(floods: boolean): void {
    if (floods === (this.#current !== this.#quiet)) return;
    if (floods) {
      if (flooding >= MAX_FLOODING) return;
      flooding += 1;
      this.#current = spare.pop() ?? Buffer.allocUnsafeSlow(FLOOD_BYTES);
    } else {
      flooding -= 1;
      if (spare.length < MAX_SPARE) spare.push(this.#current);
      this.#current = this.#quiet;
    }
  }
}
