import { parseQuantity } from '@sac/contracts';

const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'] as const;

/** "4 GiB", "1.5 GiB": an amount of memory, for a person. */
export const sizeInWords = (bytes: number): string => {
  let amount = bytes;
  let unit = 0;
  while (amount >= 1024 && unit < units.length - 1) {
    amount /= 1024;
    unit += 1;
  }
  return `${Number(amount.toFixed(1))} ${units[unit] ?? ''}`;
};

/** A size as Kubernetes writes it, for a person; the text itself when it is none. */
export const bytesInWords = (text: string): string => {
  const bytes = parseQuantity(text);
  return bytes === null ? text : sizeInWords(bytes);
};

/** Cores: 0.25 of `250m`; null when it is no amount. */
export const cores = (text: string): number | null => {
  const amount = parseQuantity(text);
  return amount === null ? null : Number(amount.toFixed(3));
};
