import { readStored, writeStored } from './stored.ts';

const MAX_ENTRIES = 100;
/** Longer prompts are not stored: a hundred of them would fill the browser's storage. This page remembers a few. */
const MAX_ENTRY_CHARACTERS = 8192;
const MAX_LONG_ENTRIES = 3;

const isLong = (text: string): boolean => text.length > MAX_ENTRY_CHARACTERS;
const newest = (entries: readonly string[]): string[] => {
  const kept = new Set([
    ...entries.filter((entry) => !isLong(entry)).slice(-MAX_ENTRIES),
    ...entries.filter(isLong).slice(-MAX_LONG_ENTRIES),
  ]);
  return entries.filter((entry) => kept.has(entry));
};

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
    this.stop();
    if (text.trim() === '') return;
    this.#entries = newest([...this.#entries.filter((entry) => entry !== text), text]);
    const stored = this.#entries.filter((entry) => !isLong(entry));
    writeStored(this.#storage, this.#key, stored);
  }

  /** What other devices sent, oldest first; used while nothing was sent from here. */
  seed(texts: readonly string[]): void {
    if (this.#entries.length > 0 || this.walking) return;
    const usable = texts.filter((text) => text.trim() !== '' && !isLong(text));
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

  /** Typing makes the shown entry the text under way. The one before it comes back with ↑; else it would be gone for good. */
  stop(): void {
    const left = this.#position === null ? '' : this.#unsent;
    this.#position = null;
    if (left.trim() !== '') this.#entries = newest([...this.#entries.filter((entry) => entry !== left), left]);
  }
}

type ArrowPress = Pick<KeyboardEvent, 'key' | 'shiftKey' | 'altKey' | 'ctrlKey' | 'metaKey'>;
type TextArea = Pick<HTMLTextAreaElement, 'value' | 'selectionStart' | 'selectionEnd'>;

/** What an arrow key puts into the text area; null: it moves the caret, as everywhere. */
export const historyStep = (history: PromptHistory, press: ArrowPress, area: TextArea): string | null => {
  if (press.shiftKey || press.altKey || press.ctrlKey || press.metaKey) return null;
  const caret = area.selectionStart;
  if (caret !== area.selectionEnd) return null;
  const up = press.key === 'ArrowUp' && (history.walking || !area.value.slice(0, caret).includes('\n'));
  const down = press.key === 'ArrowDown' && history.walking && !area.value.slice(caret).includes('\n');
  if (up) return history.older(area.value);
  return down ? history.newer() : null;
};
