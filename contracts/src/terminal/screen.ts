/**
 * Unicode version whose character widths the screen model beside the PTY and the screens in browsers both use
 * (the `unicode11` addon of xterm.js): the same bytes must make the same screen.
 */
export const SCREEN_UNICODE_VERSION = '11';
