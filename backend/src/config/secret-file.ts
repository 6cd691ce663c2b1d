import { closeSync, openSync, readSync } from 'node:fs';

const MAX_BYTES = 64 * 1024;

/** The text of a file without white space at its ends. Throws an Error whose message completes "<VARIABLE> …" and holds nothing of the file. */
export const readSecretFile = (path: string): string => {
  const buffer = Buffer.alloc(MAX_BYTES + 1);
  let sizeBytes: number;
  try {
    const file = openSync(path, 'r');
    try {
      sizeBytes = readSync(file, buffer);
    } finally {
      closeSync(file);
    }
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? 'unknown error';
    throw new Error(`names ${path}, which cannot be read (${code})`, { cause: error });
  }
  if (sizeBytes > MAX_BYTES) throw new Error(`names ${path}, which is larger than ${MAX_BYTES / 1024} KiB`);
  const text = buffer.toString('utf8', 0, sizeBytes).trim();
  if (text === '') throw new Error(`names ${path}, which is empty`);
  return text;
};
