import { isDefault, isErased, linkIdOf, sameAttributes, sgrOf } from './attributes.ts';
import type { Attributes, Cell, Core, Line, ScreenBuffer } from './internals.ts';

const MAX_URI_CHARACTERS = 2_048;
const noAttributes: Attributes = { fg: 0, bg: 0, extended: { _ext: 0, urlId: 0 } };

/** A link keeps one id over all its pieces, so that pointing at one of them underlines the whole. */
export const openLink = (core: Core, linkId: number): string => {
  const link = core._oscLinkService.getLinkData(linkId);
  if (link === undefined || link.uri.length > MAX_URI_CHARACTERS) return '';
  return `\x1b]8;id=${link.id ?? `sac-${linkId}`};${link.uri}\x1b\\`;
};
const CLOSE_LINK = '\x1b]8;;\x1b\\';

/** Writes the cells of lines as text. Every line starts and ends with default attributes and no link. */
export class LineWriter {
  readonly #core: Core;
  readonly #cell: Cell;
  readonly #next: Cell;
  #out = '';
  #current: Attributes = noAttributes;
  #linkId = 0;

  /** `cells`: two cells to read into, reused for every line. */
  constructor(core: Core, cells: readonly [Cell, Cell]) {
    this.#core = core;
    [this.#cell, this.#next] = cells;
  }

  /** The line, and what leads to the start of the line below it (nothing when there is none). */
  write(line: Line, below: Line | undefined): string {
    this.#out = '';
    this.#current = noAttributes;
    this.#linkId = 0;
    const end = this.#contentEnd(line);
    let skipped = 0;
    for (let column = 0; column < end;) {
      line.loadCell(column, this.#cell);
      const width = this.#widthOf(line, column);
      if (this.#isSkippable(this.#cell)) {
        skipped++;
      } else {
        skipped = this.#skip(skipped);
        if (this.#cell.getChars() === '' && isErased(this.#cell)) column += this.#eraseRun(line, column, end) - 1;
        else this.#print(this.#cell, width);
      }
      column += width;
    }
    if (below !== undefined) this.#leadTo(line, below, end);
    else this.#setAttributes(noAttributes);
    return this.#out;
  }

  #isSkippable(cell: Cell): boolean {
    return cell.getChars() === '' && isDefault(cell);
  }

  #contentEnd(line: Line): number {
    for (let end = line.length; end > 0; end--) {
      if (!this.#isSkippable(line.loadCell(end - 1, this.#cell)) || this.#isSecondHalf(line, end - 1)) return end;
    }
    return 0;
  }

  /** Of a wide character that is there: some edits leave a second half alone, which is nothing but a blank. */
  #isSecondHalf(line: Line, column: number): boolean {
    if (column === 0 || line.loadCell(column, this.#next).getWidth() !== 0 || this.#next.getChars() !== '')
      return false;
    return line.loadCell(column - 1, this.#next).getWidth() === 2;
  }

  /** 2 only where both halves are there: a resize can cut a wide character in two. */
  #widthOf(line: Line, column: number): 1 | 2 {
    if (this.#cell.getWidth() !== 2 || column + 1 >= line.length) return 1;
    const second = line.loadCell(column + 1, this.#next);
    return second.getWidth() === 0 && second.getChars() === '' ? 2 : 1;
  }

  #skip(count: number): 0 {
    if (count > 0) this.#out += `\x1b[${count}C`;
    return 0;
  }

  #eraseRun(line: Line, column: number, end: number): number {
    let count = 1;
    while (column + count < end) {
      const next = line.loadCell(column + count, this.#next);
      if (next.getChars() !== '' || next.getWidth() === 0 || !sameAttributes(next, this.#cell)) break;
      count++;
    }
    this.#setAttributes(this.#cell);
    this.#out += `\x1b[${count}X\x1b[${count}C`;
    return count;
  }

  #print(cell: Cell, width: 1 | 2): void {
    const text = cell.getChars();
    // Without a fresh sequence a zero-width character would join the cell before it.
    if (text !== '' && cell.getWidth() === 0) this.#out += sgrOf(cell);
    this.#setAttributes(cell);
    const cutInHalf = cell.getWidth() === 2 && width === 1;
    this.#out += text === '' || cutInHalf ? ' ' : text;
  }

  #setAttributes(attributes: Attributes): void {
    if (sameAttributes(attributes, this.#current)) return;
    const linkId = linkIdOf(attributes);
    if (this.#linkId !== 0 && linkId !== this.#linkId) this.#out += CLOSE_LINK;
    this.#out += sgrOf(attributes);
    if (linkId !== 0 && linkId !== this.#linkId) this.#out += openLink(this.#core, linkId);
    this.#linkId = linkId;
    this.#current = {
      fg: attributes.fg,
      bg: attributes.bg,
      extended: { _ext: attributes.extended._ext, urlId: attributes.extended.urlId },
    };
  }

  #leadTo(line: Line, below: Line, end: number): void {
    if (!below.isWrapped) {
      this.#setAttributes(noAttributes);
      this.#out += '\r\n';
      return;
    }
    const last = line.length - 1;
    line.loadCell(last, this.#cell);
    const isBlank = this.#cell.getChars() === '' && !this.#isSecondHalf(line, last);
    below.loadCell(0, this.#next);
    if (isBlank && this.#next.getWidth() === 2 && this.#wrapsByWidth(line, last)) return;
    if (isBlank && (isErased(this.#cell) || end < line.length)) this.#wrapOverErased(last);
    else this.#wrap();
  }

  /** A wide character that did not fit left the last cell blank, in its own attributes: doing it again makes both. */
  #wrapsByWidth(line: Line, last: number): boolean {
    if (!sameAttributes(this.#cell, this.#next) || isErased(this.#cell)) return false;
    const glyph = this.#next.getChars();
    this.#out += `\x1b[${last + 1}G`;
    this.#setAttributes(this.#cell);
    this.#out += glyph;
    this.#setAttributes(noAttributes);
    this.#out += `\r\x1b[${line.length}X`;
    return true;
  }

  /** The cursor stands behind the last column: one more character wraps. It is wiped again. */
  #wrap(): void {
    this.#setAttributes(noAttributes);
    this.#out += ' \r\x1b[X';
  }

  /** Wraps from a line whose last cell is blank: filled for the moment of wrapping, then erased again. */
  #wrapOverErased(last: number): void {
    const background: Attributes = { fg: 0, bg: this.#cell.bg, extended: noAttributes.extended };
    this.#setAttributes(noAttributes);
    this.#out += `\x1b[${last + 1}G  \x1b[A\x1b[${last + 1}G`;
    this.#setAttributes(background);
    this.#out += '\x1b[X\x1b[B\r';
    this.#setAttributes(noAttributes);
    this.#out += '\x1b[X';
  }
}

/**
 * All lines of a buffer, oldest first. The screen is always whole; of the scrollback as much as fits into
 * `maxBytes`, newest first.
 */
export const writeLines = (
  core: Core,
  buffer: ScreenBuffer,
  cells: readonly [Cell, Cell],
  maxBytes: number,
): string => {
  const writer = new LineWriter(core, cells);
  const pieces: string[] = [];
  let bytes = 0;
  let below: Line | undefined;
  for (let index = buffer.lines.length - 1; index >= 0; index--) {
    const line = buffer.lines.get(index);
    if (line === undefined) break;
    const piece = writer.write(line, below);
    bytes += Buffer.byteLength(piece);
    if (index < buffer.ybase && bytes > maxBytes) break;
    pieces.push(piece);
    below = line;
  }
  // A first line that continues one that is gone: made by wrapping into the second row and deleting the first.
  const continues = below?.isWrapped === true && core.rows > 1;
  return (continues ? `\x1b[${core.cols}G  \x1b[H\x1b[M\x1b[X` : '') + pieces.reverse().join('');
};
