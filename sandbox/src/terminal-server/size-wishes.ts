import type { Size } from '@sac/contracts';
import { bounds } from './constants.ts';

const sameSize = (a: Size, b: Size): boolean => a.columns === b.columns && a.rows === b.rows;

/** At most one change per interval, the last one wins: nobody can make everyone reflow thousands of times a second. */
export class SizeWishes {
  readonly #apply: (size: Size) => void;
  #size: Size;
  #wished: Size;
  #timer: NodeJS.Timeout | null = null;
  #lastMs = -Infinity;

  constructor(size: Size, apply: (size: Size) => void) {
    this.#apply = apply;
    this.#size = size;
    this.#wished = size;
  }

  wish(size: Size): void {
    this.#wished = size;
    const delayMs = this.#lastMs + bounds.resizeIntervalMs - performance.now();
    if (delayMs <= 0) this.#grant();
    else this.#timer ??= setTimeout(() => this.#grant(), delayMs);
  }

  close(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
  }

  #grant(): void {
    this.#timer = null;
    if (sameSize(this.#wished, this.#size)) return;
    this.#lastMs = performance.now();
    this.#size = this.#wished;
    this.#apply(this.#size);
  }
}
