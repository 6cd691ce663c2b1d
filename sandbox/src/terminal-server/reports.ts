/**
 * Answers of a terminal to questions in the output (cursor position, device attributes, modes, colours,
 * status strings). Every attached emulator answers, so exactly one of them may be listened to; a program
 * that gets an answer twice takes the second for typing.
 */
const MAX_REPORT_BYTES = 256;
const CSI_REPORT = /^\x1b\[[?>=]?[0-9;:]*(?:[cnR]|\$y|x|t)$/;
const OSC_REPORT = /^\x1b\](?:4;[0-9]+|1[0-2]);rgba?:[0-9a-fA-F/]+(?:\x07|\x1b\\)$/;
const DCS_REPORT = /^\x1bP[01]?(?:\$r|\+r|>\|)[^\x1b]*\x1b\\$/;

/** True when the whole input frame is one such answer, as emulators send them. */
export const isTerminalReport = (data: Uint8Array): boolean => {
  if (data.length < 3 || data.length > MAX_REPORT_BYTES || data[0] !== 0x1b) return false;
  const text = Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString('latin1');
  return CSI_REPORT.test(text) || OSC_REPORT.test(text) || DCS_REPORT.test(text);
};
