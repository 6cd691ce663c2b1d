/** What the clipboard holds; null when the browser does not let the page read it, as over plain http from another machine. */
export const readClipboard = async (): Promise<string | null> => {
  if (typeof navigator.clipboard?.readText !== 'function') return null;
  return navigator.clipboard.readText().catch(() => null);
};

/** Copies text; also over plain http, where `navigator.clipboard` does not exist. False when the browser refuses. */
export const copyText = async (text: string): Promise<boolean> => {
  if (typeof navigator.clipboard?.writeText === 'function') {
    try {
      await navigator.clipboard.writeText(text);
      return true;
    } catch {
      // Refused, for example because the page is not focused: the old way may still work.
    }
  }
  const focused = document.activeElement;
  const area = document.createElement('textarea');
  area.value = text;
  area.setAttribute('readonly', '');
  area.className = 'sr-only';
  document.body.append(area);
  area.select();
  try {
    return document.execCommand('copy');
  } catch {
    return false;
  } finally {
    area.remove();
    if (focused instanceof HTMLElement) focused.focus();
  }
};
