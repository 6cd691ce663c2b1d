import { isDefault, linkIdOf, sgrOf } from './attributes.ts';
import { designatorOf } from './charsets.ts';
import type { Cell, Core, ScreenBuffer } from './internals.ts';
import { openLink, writeLines } from './lines.ts';
import type { TrackedState } from './tracked-state.ts';

const at = (column: number, row: number): string => `\x1b[${row + 1};${column + 1}H`;
const when = (condition: boolean, sequence: string): string => (condition ? sequence : '');

/** Ends whatever the receiver was in the middle of, then resets; the rest undoes what a reset leaves alone. */
const RESET = '\x18\x1bc\x1b]104\x1b\\\x1b]110\x1b\\\x1b]111\x1b\\\x1b]112\x1b\\\x1b]8;;\x1b\\';

const cursorStyles = { block: 2, underline: 4, bar: 6 } as const;
const mouseProtocols: Readonly<Record<string, number>> = { X10: 9, VT200: 1000, DRAG: 1002, ANY: 1003 };
const mouseEncodings: Readonly<Record<string, number>> = { SGR: 1006, SGR_PIXELS: 1016 };
const DEFAULT_TAB_WIDTH = 8;

const tabStops = (buffer: ScreenBuffer, columns: number): string => {
  const stops = Array.from({ length: columns }, (_, column) => column).filter((column) => buffer.tabs[column] === true);
  const standard = Math.ceil(columns / DEFAULT_TAB_WIDTH);
  if (stops.length === standard && stops.every((column) => column % DEFAULT_TAB_WIDTH === 0)) return '';
  return `\x1b[3g${stops.map((column) => `\x1b[${column + 1}G\x1bH`).join('')}`;
};

const savedCursor = (buffer: ScreenBuffer, columns: number): string => {
  const row = Math.max(buffer.savedY - buffer.ybase, 0);
  const charset = designatorOf(buffer.savedCharset);
  return [
    sgrOf(buffer.savedCurAttrData),
    when(charset !== 'B', `\x1b(${charset}`),
    at(Math.min(buffer.savedX, columns - 1), row),
    '\x1b7',
    when(charset !== 'B', '\x1b(B'),
    when(!isDefault(buffer.savedCurAttrData), '\x1b[m'),
  ].join('');
};

const scrollRegion = (buffer: ScreenBuffer, rows: number): string =>
  when(
    buffer.scrollTop !== 0 || buffer.scrollBottom !== rows - 1,
    `\x1b[${buffer.scrollTop + 1};${buffer.scrollBottom + 1}r`,
  );

const ownState = (buffer: ScreenBuffer, core: Core): string =>
  tabStops(buffer, core.cols) + savedCursor(buffer, core.cols) + scrollRegion(buffer, core.rows);

const hasSavedCursor = (buffer: ScreenBuffer): boolean =>
  buffer.savedX !== 0 ||
  buffer.savedY !== 0 ||
  !isDefault(buffer.savedCurAttrData) ||
  buffer.savedCharset !== undefined;

const charsets = (core: Core): string => {
  const { glevel, _charsets, charset } = core._charsetService;
  const designations = ['(', ')', '*', '+'].map((intermediate, level) => {
    // After a restored cursor the set in use can differ from the designated one; what prints decides.
    const designator = designatorOf(level === glevel ? charset : _charsets[level]);
    return when(designator !== 'B', `\x1b${intermediate}${designator}`);
  });
  const shift = ['', '\x0e', '\x1bn', '\x1bo'][glevel] ?? '';
  return designations.join('') + shift;
};

const modes = (core: Core, tracked: TrackedState): string => {
  const { decPrivateModes: dec, isCursorHidden } = core.coreService;
  const protocol = mouseProtocols[core.coreMouseService.activeProtocol];
  const encoding = mouseEncodings[core.coreMouseService.activeEncoding];
  const style =
    dec.cursorStyle === undefined ? null : cursorStyles[dec.cursorStyle] - (dec.cursorBlink === true ? 1 : 0);
  return [
    when(dec.applicationCursorKeys, '\x1b[?1h'),
    when(dec.applicationKeypad, '\x1b='),
    when(!dec.wraparound, '\x1b[?7l'),
    when(dec.reverseWraparound, '\x1b[?45h'),
    isCursorHidden ? '\x1b[?25l' : '\x1b[?25h',
    when(protocol !== undefined, `\x1b[?${protocol}h`),
    when(encoding !== undefined, `\x1b[?${encoding}h`),
    when(dec.sendFocus, '\x1b[?1004h'),
    when(dec.bracketedPasteMode, '\x1b[?2004h'),
    when(dec.synchronizedOutput, '\x1b[?2026h'),
    core.options.convertEol ? '\x1b[20h' : '\x1b[20l',
    when(tracked.cursorBlinkSet, core.options.cursorBlink ? '\x1b[?12h' : '\x1b[?12l'),
    when(style !== null, `\x1b[${style} q`),
  ].join('');
};

interface Printed {
  readonly column: number;
  readonly width: number;
  readonly text: string;
}

/** The character before the cursor. Leaves `cell` at it. */
const characterBefore = (buffer: ScreenBuffer, cell: Cell): Printed | null => {
  const line = buffer.lines.get(buffer.ybase + buffer.y);
  if (line === undefined || buffer.x === 0) return null;
  let column = buffer.x - 1;
  if (line.loadCell(column, cell).getWidth() === 0 && cell.getChars() === '' && column > 0)
    line.loadCell(--column, cell);
  return { column, width: buffer.x - column, text: cell.getChars() === '' ? ' ' : cell.getChars() };
};

/** Twice as wide as a letter, and of no consequence where it has no room. */
const WIDE = '\u3000';
const widthOf = (joinState: number): number => (joinState >> 1) & 3;

/**
 * Cursor, pen and link. A cursor waiting behind the last column, and a character that the next bytes may
 * still combine with or repeat, exist only right after printing: so the character is printed once more.
 * In insert mode it is taken out first, so that printing puts the row back as it was.
 */
const cursor = (core: Core, cell: Cell): string => {
  const buffer = core.buffers.active;
  const { origin, wraparound } = core.coreService.decPrivateModes;
  const { insertMode } = core.coreService.modes;
  const top = origin ? buffer.scrollTop : 0;
  const pen = core._inputHandler._curAttrData;
  const setPen = sgrOf(pen) + when(linkIdOf(pen) !== 0, openLink(core, linkIdOf(pen)));
  const waits = buffer.x >= core.cols;
  const joinState = core._inputHandler._parser.precedingJoinState;
  const joins = joinState !== 0;
  // Without autowrap a wide character that has no room is dropped, and still is what the next bytes combine with or repeat.
  const wasDropped = widthOf(joinState) === 2 && !wraparound && buffer.x === core.cols - 1;
  const before = waits || joins ? characterBefore(buffer, cell) : null;
  const move = when(origin, '\x1b[?6h');
  const insert = when(insertMode, '\x1b[4h');
  if (wasDropped) return move + at(buffer.x, buffer.y - top) + insert + setPen + WIDE;
  if (before === null) return move + at(Math.min(buffer.x, core.cols - 1), buffer.y - top) + insert + setPen;
  const place = move + at(before.column, buffer.y - top) + when(insertMode, `\x1b[${before.width}P`) + insert;
  if (joins) return place + setPen + before.text;
  const linkId = linkIdOf(cell);
  return (
    place +
    sgrOf(cell) +
    when(linkId !== 0, openLink(core, linkId)) +
    before.text +
    when(linkId !== 0, '\x1b]8;;\x1b\\') +
    setPen
  );
};

/**
 * The bytes that make an emulator of the same size show and continue exactly like this one. `pending` is
 * what the parser holds of an unfinished sequence or character.
 */
export const serializeScreen = (
  core: Core,
  tracked: TrackedState,
  cells: readonly [Cell, Cell],
  limit: { readonly maxBytes: number; readonly pending: Uint8Array },
): Uint8Array => {
  const { normal, alt, active } = core.buffers;
  const inAlternate = active === alt;
  const alternate = inAlternate ? `\x1b[?47h\x1b[H${writeLines(core, alt, cells, 0)}` : '\x1b[?47h';
  const alternateText = inAlternate || hasSavedCursor(alt) ? alternate + ownState(alt, core) : '';
  // What joins was printed in today's set; what was printed before another one was chosen is printed before it.
  const joins = core._inputHandler._parser.precedingJoinState !== 0;
  const state = modes(core, tracked) + tracked.sequences() + cursor(core, cells[0]);
  const tail = joins ? charsets(core) + state : state + charsets(core);
  const room = limit.maxBytes - Buffer.byteLength(alternateText) - Buffer.byteLength(tail) - limit.pending.length;
  const text = [
    RESET,
    writeLines(core, normal, cells, room),
    ownState(normal, core),
    alternateText,
    when(!inAlternate && alternateText !== '', '\x1b[?47l'),
    tail,
  ].join('');
  return Buffer.concat([Buffer.from(text), limit.pending]);
};
