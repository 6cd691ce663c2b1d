/** Hands a text to the browser's downloads. */
export const saveTextFile = (name: string, text: string): void => {
  const url = URL.createObjectURL(new Blob([text], { type: 'text/plain;charset=utf-8' }));
  const link = document.createElement('a');
  link.href = url;
  link.download = name;
  link.click();
  // The browser has taken hold of the address by the next turn.
  setTimeout(() => URL.revokeObjectURL(url), 0);
};
