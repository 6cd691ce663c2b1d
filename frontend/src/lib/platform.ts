/** Shortcuts of the system go with Cmd there, and Ctrl is left to programs. */
export const onMac = /^Mac/.test(navigator.platform);
