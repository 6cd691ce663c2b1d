const MAX_CHARACTERS = 120;
const brief = (value: unknown): string => (JSON.stringify(value) ?? 'nothing').slice(0, MAX_CHARACTERS);
const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null;

/** Where two values that JSON can hold differ first, with both sides; null when they do not. */
export const firstDifference = (one: unknown, other: unknown, path = ''): string | null => {
  if (!isObject(one) || !isObject(other)) return one === other ? null : `${path} ${brief(one)} and ${brief(other)}`;
  for (const key of new Set([...Object.keys(one), ...Object.keys(other)])) {
    const difference = firstDifference(one[key], other[key], path === '' ? key : `${path}.${key}`);
    if (difference !== null) return difference;
  }
  return null;
};
