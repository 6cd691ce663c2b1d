import type { Attributes } from './internals.ts';

// Bit layout of xterm.js 6.0.0, common/buffer/Constants.ts.
const COLOR_MODE = 0x3000000;
const COLOR_P16 = 0x1000000;
const COLOR_P256 = 0x2000000;
const COLOR_RGB = 0x3000000;
const COLOR_BITS = 0x3ffffff;
const UNDERLINE_STYLE = 0x1c000000;
const UNDERLINE_SHIFT = 26;
const HAS_EXTENDED = 0x10000000;
const PROTECTED = 0x20000000;

const foregroundFlags: readonly (readonly [number, string])[] = [
  [0x8000000, '1'],
  [0x20000000, '5'],
  [0x4000000, '7'],
  [0x40000000, '8'],
  [0x80000000, '9'],
];
const UNDERLINED = 0x10000000;
const backgroundFlags: readonly (readonly [number, string])[] = [
  [0x8000000, '2'],
  [0x4000000, '3'],
  [0x40000000, '53'],
];

const rgbOf = (color: number): string => `${(color >>> 16) & 255}:${(color >>> 8) & 255}:${color & 255}`;

const colorOf = (color: number, base: number, bright: number): string | null => {
  const index = color & 0xff;
  switch (color & COLOR_MODE) {
    case COLOR_P16:
      return String(index < 8 ? base + index : bright + index - 8);
    case COLOR_P256:
      return `${base + 8}:5:${index}`;
    case COLOR_RGB:
      return `${base + 8}:2::${rgbOf(color)}`;
    default:
      return null;
  }
};

const underlineColorOf = (extended: number): string | null => {
  switch (extended & COLOR_MODE) {
    case 0:
      return null;
    case COLOR_RGB:
      return `58:2::${rgbOf(extended)}`;
    default:
      return `58:5:${extended & 0xff}`;
  }
};

const parametersOf = (attributes: Attributes): string[] => {
  const { fg, bg } = attributes;
  const list: (string | null)[] = foregroundFlags.map(([flag, code]) => ((fg & flag) !== 0 ? code : null));
  for (const [flag, code] of backgroundFlags) if ((bg & flag) !== 0) list.push(code);
  const extended = (bg & HAS_EXTENDED) !== 0 ? attributes.extended._ext : 0;
  const style = (extended & UNDERLINE_STYLE) >>> UNDERLINE_SHIFT;
  // The emulator draws an underline for either sign; a restored cursor can leave the style without the flag.
  if ((fg & UNDERLINED) !== 0 || style !== 0) list.push(style === 0 ? '4' : `4:${style}`);
  list.push(underlineColorOf(extended), colorOf(fg, 30, 90), colorOf(bg, 40, 100));
  return list.filter((code) => code !== null);
};

/** The sequence that sets exactly these attributes, whatever was set before. */
export const sgrOf = (attributes: Attributes): string => {
  const parameters = parametersOf(attributes);
  const sgr = parameters.length === 0 ? '\x1b[m' : `\x1b[0;${parameters.join(';')}m`;
  return (attributes.bg & PROTECTED) !== 0 ? `${sgr}\x1b[1"q` : sgr;
};

/** An erased cell keeps nothing but a background colour; only such a cell can be made again by erasing. */
export const isErased = (attributes: Attributes): boolean => attributes.fg === 0 && (attributes.bg & ~COLOR_BITS) === 0;

export const isDefault = (attributes: Attributes): boolean => attributes.fg === 0 && attributes.bg === 0;

export const sameAttributes = (a: Attributes, b: Attributes): boolean =>
  a.fg === b.fg &&
  a.bg === b.bg &&
  ((a.bg & HAS_EXTENDED) === 0 || (a.extended._ext === b.extended._ext && a.extended.urlId === b.extended.urlId));

export const linkIdOf = (attributes: Attributes): number =>
  (attributes.bg & HAS_EXTENDED) !== 0 ? attributes.extended.urlId : 0;
