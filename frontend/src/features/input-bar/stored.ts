/** JSON in the browser's storage; a full or forbidden storage loses the copy, never the page. */
export const readStored = (storage: Storage, key: string): unknown => {
  try {
    return JSON.parse(storage.getItem(key) ?? 'null');
  } catch {
    return null;
  }
};

/** `null` removes the entry. */
export const writeStored = (storage: Storage, key: string, value: unknown): void => {
  try {
    if (value === null) storage.removeItem(key);
    else storage.setItem(key, JSON.stringify(value));
  } catch {
    // Full or forbidden: what is on the screen still works.
  }
};
