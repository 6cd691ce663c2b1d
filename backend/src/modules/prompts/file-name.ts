const MAX_NAME_BYTES = 180;
const FALLBACK = 'upload';
/** Control characters, separators, and characters that shells, other systems or eyes misread. */
const UNSAFE = /[\p{Cc}/\\:*?"<>|\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]+/gu;

const cutToBytes = (text: string, maxBytes: number): string => {
  let result = '';
  let bytes = 0;
  for (const character of text) {
    bytes += Buffer.byteLength(character);
    if (bytes > maxBytes) break;
    result += character;
  }
  return result;
};

/** A plain file name made of what a browser says: no directories, never hidden, never empty, at most 180 bytes, same extension. */
export const safeFileName = (offered: string): string => {
  const last = offered.normalize('NFC').split(/[/\\]/).at(-1) ?? '';
  const cleaned = last
    .toWellFormed()
    .replace(UNSAFE, '_')
    .trim()
    .replace(/^[.\s-]+/, '')
    .replace(/[.\s]+$/, '');
  const dot = cleaned.lastIndexOf('.');
  const extension = dot > 0 ? cutToBytes(cleaned.slice(dot), 20) : '';
  const stem = dot > 0 ? cleaned.slice(0, dot) : cleaned;
  const shortStem = cutToBytes(stem, MAX_NAME_BYTES - Buffer.byteLength(extension));
  return `${shortStem === '' ? FALLBACK : shortStem}${extension}`;
};
