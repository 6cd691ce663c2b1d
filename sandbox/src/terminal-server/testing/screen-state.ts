import { Unicode11Addon } from '@xterm/addon-unicode11';
import headless, { type Terminal } from '@xterm/headless';
import type { Size } from '@sac/contracts';
import { coreOf, type Attributes, type Cell, type Core, type ScreenBuffer } from '../screen/internals.ts';
import { SCREEN_UNICODE_VERSION, WholeCharacters } from '@sac/contracts';

const HAS_EXTENDED = 0x10000000;

/** An emulator set up like the browser's. */
export const createEmulator = (size: Size, scrollback = 1_000): Terminal => {
  const terminal = new headless.Terminal({
    cols: size.columns,
    rows: size.rows,
    scrollback,
    allowProposedApi: true,
    logLevel: 'off',
  });
  terminal.loadAddon(new Unicode11Addon() as unknown as Parameters<Terminal['loadAddon']>[0]);
  terminal.unicode.activeVersion = SCREEN_UNICODE_VERSION;
  return terminal;
};

const streams = new WeakMap<Terminal, WholeCharacters>();
const charactersOf = (terminal: Terminal): WholeCharacters => {
  const characters = streams.get(terminal) ?? new WholeCharacters();
  streams.set(terminal, characters);
  return characters;
};

/** Shows bytes as the page does. */
export const feed = (terminal: Terminal, bytes: Uint8Array | string): void =>
  coreOf(terminal).writeSync(charactersOf(terminal).take(typeof bytes === 'string' ? Buffer.from(bytes) : bytes));

const UNDERLINED = 0x10000000;
const UNDERLINE_STYLE = 0x1c000000;
const COLOR_MODE = 0x3000000;

/** A palette colour leaves bits of an older RGB colour behind it that mean nothing. */
const colorOf = (bits: number): string => {
  const mode = bits & COLOR_MODE;
  return `${mode >>> 24}:${mode === COLOR_MODE ? bits & 0xffffff : mode === 0 ? 0 : bits & 0xff}`;
};

/** Attributes as they are drawn. */
const penOf = (core: Core, { fg, bg, extended }: Attributes): string => {
  const hasExtended = (bg & HAS_EXTENDED) !== 0;
  const style = hasExtended ? (extended._ext & UNDERLINE_STYLE) >>> 26 : 0;
  const underline =
    style !== 0 || (fg & UNDERLINED) !== 0 ? `${style || 1}~${hasExtended ? colorOf(extended._ext) : '0:0'}` : '';
  const uri = hasExtended ? (core._oscLinkService.getLinkData(extended.urlId)?.uri ?? '') : '';
  const flags = `${((fg & ~UNDERLINED) >>> 26).toString(16)}/${((bg & ~HAS_EXTENDED) >>> 26).toString(16)}`;
  return [colorOf(fg), colorOf(bg), flags, underline, uri].join(' ');
};

const PLAIN_PEN = '0:0 0:0 0/0  ';

type Cells = readonly [Cell, Cell];

const lineOf = (core: Core, buffer: ScreenBuffer, index: number, [cell, next]: Cells): string => {
  const line = buffer.lines.get(index);
  if (line === undefined) return '';
  const texts: string[] = [];
  for (let column = 0; column < line.length; column++) {
    line.loadCell(column, cell);
    const cutInHalf =
      cell.getWidth() === 2 && (column + 1 >= line.length || line.loadCell(column + 1, next).getWidth() !== 0);
    const isAlone =
      cell.getWidth() === 0 &&
      cell.getChars() === '' &&
      (column === 0 || line.loadCell(column - 1, next).getWidth() !== 2);
    const blank =
      cutInHalf || isAlone || (cell.getWidth() === 1 && (cell.getChars() === '' || cell.getChars() === ' '));
    // Some edits leave one half of a wide character alone. That cannot be printed, and is not a sight to keep.
    // A blank looks the same whether it was erased or printed.
    const shown = blank ? '' : `${cell.getChars()}/${cell.getWidth()}`;
    const pen = penOf(core, cell);
    texts.push(pen === PLAIN_PEN && blank ? '' : `${shown}{${pen}}`);
  }
  return `${line.isWrapped ? '+' : '|'}${texts.join('·')}`;
};

const bufferState = (core: Core, buffer: ScreenBuffer, cells: Cells, isActive: boolean): object => ({
  lines: Array.from({ length: buffer.lines.length }, (_, index) => lineOf(core, buffer, index, cells)),
  ...(isActive ? { x: buffer.x, y: buffer.y } : {}),
  ybase: buffer.ybase,
  saved: [
    Math.min(buffer.savedX, core.cols - 1),
    Math.max(0, buffer.savedY - buffer.ybase),
    penOf(core, { ...buffer.savedCurAttrData, extended: { _ext: 0, urlId: 0 } }),
  ],
  savedCharset: buffer.savedCharset,
  region: [buffer.scrollTop, buffer.scrollBottom],
  tabs: Object.keys(buffer.tabs).filter((column) => buffer.tabs[Number(column)] === true && Number(column) < core.cols),
});

/** Everything an emulator knows that a person or the next byte of output could notice. */
export const screenState = (terminal: Terminal): object => {
  const core = coreOf(terminal);
  const cells: Cells = [terminal.buffer.normal.getNullCell() as Cell, terminal.buffer.normal.getNullCell() as Cell];
  const { normal, alt, active } = core.buffers;
  return {
    normal: bufferState(core, normal, cells, active === normal),
    alt: active === alt ? bufferState(core, alt, cells, true) : null,
    pen: penOf(core, core._inputHandler._curAttrData),
    hidden: core.coreService.isCursorHidden,
    insert: core.coreService.modes.insertMode,
    dec: { ...core.coreService.decPrivateModes },
    mouse: [core.coreMouseService.activeProtocol, core.coreMouseService.activeEncoding],
    options: [core.options.cursorBlink, core.options.convertEol],
    charset: core._charsetService.charset,
    glevel: core._charsetService.glevel,
    // Its lowest bit says how the last character came, which nothing asks for.
    joins: core._inputHandler._parser.precedingJoinState >> 1,
    parser: core._inputHandler._parser.currentState,
    partial: [...charactersOf(terminal).rest],
  };
};
