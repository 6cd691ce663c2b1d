import { bounds } from './constants.ts';

export interface Candidate {
  readonly userId: string;
  readonly mode: 'control' | 'view';
  readonly wantsOwnership: boolean;
  /** When this viewer last typed or connected; monotonic milliseconds. */
  readonly lastActiveMs: number;
}

/**
 * Who sets the size: the first control viewer; after it left, its user has 30 s to come back; then the
 * control viewer who was active last. Anyone in control mode may take over.
 */
export class Ownership<V extends Candidate> {
  readonly #viewers = new Set<V>();
  readonly #onChange: (owner: V | null) => void;
  #owner: V | null = null;
  #reservedFor: string | null = null;
  #grace: NodeJS.Timeout | null = null;

  constructor(onChange: (owner: V | null) => void) {
    this.#onChange = onChange;
  }

  get owner(): V | null {
    return this.#owner;
  }

  join(viewer: V): void {
    this.#viewers.add(viewer);
    if (viewer.mode !== 'control' || this.#owner !== null) return;
    const comesBack = this.#reservedFor === viewer.userId && viewer.wantsOwnership;
    if (this.#reservedFor === null || comesBack) this.#set(viewer);
  }

  leave(viewer: V): void {
    this.#viewers.delete(viewer);
    if (this.#owner !== viewer) return;
    this.#owner = null;
    this.#reservedFor = viewer.userId;
    this.#grace = setTimeout(() => this.#passOn(), bounds.ownerGraceMs);
    this.#onChange(null);
  }

  /** False: a viewer in view mode cannot own the size. */
  take(viewer: V): boolean {
    if (viewer.mode !== 'control') return false;
    if (this.#owner !== viewer) this.#set(viewer);
    return true;
  }

  close(): void {
    if (this.#grace !== null) clearTimeout(this.#grace);
    this.#grace = null;
  }

  #passOn(): void {
    this.#grace = null;
    this.#reservedFor = null;
    const candidates = [...this.#viewers].filter((viewer) => viewer.mode === 'control');
    const next = candidates.sort((a, b) => b.lastActiveMs - a.lastActiveMs)[0];
    if (next !== undefined) this.#set(next);
  }

  #set(viewer: V): void {
    this.close();
    this.#reservedFor = null;
    this.#owner = viewer;
    this.#onChange(viewer);
  }
}
