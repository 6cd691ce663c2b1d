import type { Size } from '@sac/contracts';

export interface SizeOfferOptions {
  /** Size that fits the page now; null while that cannot be said. */
  readonly proposedSize: () => Size | null;
  readonly send: (size: Size) => void;
}

const same = (a: Size | null, b: Size): boolean => a?.columns === b.columns && a.rows === b.rows;

/** What this viewer says about the size of the PTY: whether it would own it, and what fits here while it does. */
export class SizeOffer {
  readonly #options: SizeOfferOptions;
  /** Owned the size when the connection was last there; a page that just loaded may claim it too. */
  #wantsOwnership = true;
  #sent: Size | null = null;

  constructor(options: SizeOfferOptions) {
    this.#options = options;
  }

  get wantsOwnership(): boolean {
    return this.#wantsOwnership;
  }

  /** The first words of a connection hold the size. */
  first(): Size | null {
    this.#sent = this.#options.proposedSize();
    return this.#sent;
  }

  noteOwner(owner: boolean): void {
    this.#wantsOwnership = owner;
  }

  /** Says what fits here when that is something new; null when nothing was said. */
  offer(): Size | null {
    return this.#offerUnless(this.#sent);
  }

  /** The same for a viewer that owns the size from now on and finds it at `current`. */
  offerInsteadOf(current: Size | null): Size | null {
    return this.#offerUnless(current);
  }

  #offerUnless(current: Size | null): Size | null {
    const size = this.#options.proposedSize();
    if (size === null || same(current, size)) return null;
    this.#sent = size;
    this.#options.send(size);
    return size;
  }
}
