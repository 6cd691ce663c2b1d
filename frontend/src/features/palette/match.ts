/** A piece of a label; `hit` pieces are shown as found. */
export interface LabelPart {
  readonly text: string;
  readonly hit: boolean;
}

export interface Match {
  /** Smaller is better: start of the label, start of a word, inside a word, only in the hint. */
  readonly rank: number;
  readonly parts: readonly LabelPart[];
}

/** Hints are long; two letters are found in nearly all of them. */
const hintFromCharacters = 3;

const isWordStart = (text: string, index: number): boolean =>
  index === 0 || !/[\p{L}\p{N}]/u.test(text[index - 1] ?? '');

/** Finds `query` in label or hint, without regard to case. Null: it does not match. An empty query matches everything. */
export const matchLabel = (label: string, hint: string, query: string): Match | null => {
  const wanted = query.trim().toLowerCase();
  if (wanted === '') return { rank: 0, parts: [{ text: label, hit: false }] };
  const lower = label.toLowerCase();
  const found: number[] = [];
  for (let index = lower.indexOf(wanted); index >= 0; index = lower.indexOf(wanted, index + 1)) found.push(index);
  const at = found.find((index) => isWordStart(lower, index)) ?? found[0];
  if (at === undefined)
    return wanted.length >= hintFromCharacters && hint.toLowerCase().includes(wanted)
      ? { rank: 3, parts: [{ text: label, hit: false }] }
      : null;
  const parts = [
    { text: label.slice(0, at), hit: false },
    { text: label.slice(at, at + wanted.length), hit: true },
    { text: label.slice(at + wanted.length), hit: false },
  ].filter((part) => part.text !== '');
  return { rank: at === 0 ? 0 : isWordStart(lower, at) ? 1 : 2, parts };
};
