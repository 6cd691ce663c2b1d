/**
 * Answers of a terminal to questions in the output (cursor position, device attributes, modes, colours,
 * status strings). Every attached emulator answers, so exactly one of them may be listened to; a program
 * that gets an answer twice takes the second for typing.
 */
const MAX_REPORT_BYTES = 256;
const CLIPBOARD_HEAD_BYTES = 32;
const ESCAPE = 0x1b;
/** Without the escape in front and the terminator (BEL or ST) behind. */
const CSI_REPORT = /^\[[?>=]?[0-9;:]*(?:[cnR]|\$y|x|t)$/;
const OSC_REPORT = /^\](?:(?:4;[0-9]+|1[0-2]);rgba?:[0-9a-fA-F/]+|52;[a-z0-7]*;)$/;
/** Never passed on from anybody: what a person has copied is not for a program that asks for it. */
const CLIPBOARD_CONTENT = /^\]52;[a-z0-7]*;[0-9A-Za-z+/]/;
const DCS_REPORT = /^P[01]?(?:\$r|\+r|>\|)[ -~]*$/;

const withoutTerminator = (text: string): string | null => {
  if (text.endsWith('\x07')) return text.slice(0, -1);
  return text.endsWith('\x1b\\') ? text.slice(0, -2) : null;
};

/** DA, DSR, DECRQM, XTVERSION, window and colour questions, status strings: whatever an emulator answers. */
const QUESTION = /(?:\[[?>=]?[0-9;]*(?:\$p|[cnqt])|\](?:4;[0-9]+|1[0-2]|52;[a-z0-7]*);\?|P[$+]q|Z)/;

/** True when the output may hold a question to the emulator. Too often is harmless, too seldom is not. */
export const mayAsk = (output: Buffer): boolean => QUESTION.test(output.toString('latin1'));

/** True when an emulator gives the clipboard away, as one with the usual settings does when asked (OSC 52). */
export const holdsClipboard = (data: Uint8Array): boolean =>
  data[0] === ESCAPE && CLIPBOARD_CONTENT.test(Buffer.from(data.subarray(1, CLIPBOARD_HEAD_BYTES)).toString('latin1'));

/** True when the whole input frame is one such answer, as emulators send them. */
export const isTerminalReport = (data: Uint8Array): boolean => {
  if (data.length < 3 || data.length > MAX_REPORT_BYTES || data[0] !== ESCAPE) return false;
  const text = Buffer.from(data.buffer, data.byteOffset + 1, data.byteLength - 1).toString('latin1');
  if (CSI_REPORT.test(text)) return true;
  const body = withoutTerminator(text);
  return body !== null && (OSC_REPORT.test(body) || DCS_REPORT.test(body));
};
