import { readStored, writeStored } from './stored.ts';

const MAX_ENTRIES = 100;
/** Longer prompts stay out of the history: a hundred of them would fill the browser's storage. */
const MAX_ENTRY_CHARACTERS = 8192;

/** What was sent to one agent, newest last, walked with ↑ and ↓. The text under way is kept as the last stop. */
export class PromptHistory {
  readonly #storage: Storage;
  readonly #key: string;
  #entries: string[];
  #position: number | null = null;
  #unsent = '';

  constructor(storage: Storage, key: string) {
    this.#storage = storage;
    this.#key = key;
    const stored = readStored(storage, key);
    this.#entries = Array.isArray(stored)
      ? stored.filter((entry): entry is string => typeof entry === 'string').slice(-MAX_ENTRIES)
      : [];
  }

  get entries(): readonly string[] {
    return this.#entries;
  }

  get walking(): boolean {
    return this.#position !== null;
  }

  /** Adds a sent prompt; the same text again moves to the end instead of appearing twice. */
  add(text: string): void {
    this.#position = null;
    if (text.trim() === '' || text.length > MAX_ENTRY_CHARACTERS) return;
    this.#entries = [...this.#entries.filter((entry) => entry !== text), text].slice(-MAX_ENTRIES);
    writeStored(this.#storage, this.#key, this.#entries);
  }

  /** What other devices sent, oldest first; used while nothing was sent from here. */
  seed(texts: readonly string[]): void {
    if (this.#entries.length > 0 || this.walking) return;
    const usable = texts.filter((text) => text.trim() !== '' && text.length <= MAX_ENTRY_CHARACTERS);
    this.#entries = [...new Set(usable)].slice(-MAX_ENTRIES);
  }

  /** The entry before, or null at the oldest. `current` is what stands in the box. */
  older(current: string): string | null {
    const next = (this.#position ?? this.#entries.length) - 1;
    if (next < 0) return null;
    if (this.#position === null) this.#unsent = current;
    this.#position = next;
    return this.#entries[next] ?? null;
  }

  /** The entry after, at last the text that was under way; null when not walking. */
  newer(): string | null {
    if (this.#position === null) return null;
    this.#position += 1;
    if (this.#position < this.#entries.length) return this.#entries[this.#position] ?? null;
    this.#position = null;
    return this.#unsent;
  }

  /** Typing makes the shown entry the text under way. */
  stop(): void {
    this.#position = null;
  }
}
