import { limits, type Size } from '@sac/contracts';

/** What fits a box with the font it was measured with. */
interface Dimensions {
  readonly cols: number;
  readonly rows: number;
}

/** Below this nobody reads a line any more. */
const READABLE_FONT = 8;
/** Fonts are set in quarter pixels; finer steps only blur. */
const FONT_STEP = 0.25;

/** Lines are this much of the font size apart. */
const LINE_SPACING = 1.3;

/** xterm.js multiplies what the font asks for, which is 1.32 of its size for some and 1.17 for others. Never tighter than the font. */
export const lineHeightFactor = (naturalPx: number, fontSize: number): number =>
  naturalPx > 0 ? Math.max(1, Math.min(2, (LINE_SPACING * fontSize) / naturalPx)) : 1;

const within = (value: number, maximum: number): number => Math.max(1, Math.min(maximum, Math.floor(value)));

/** Size for `base` pixels when `measured` was found with `current` pixels. Null when the box has no area yet. */
export const sizeThatFits = (measured: Dimensions, current: number, base: number): Size | null => {
  if (!Number.isFinite(measured.cols) || !Number.isFinite(measured.rows)) return null;
  const ratio = current / base;
  return {
    columns: within(measured.cols * ratio, limits.maxColumns),
    rows: within(measured.rows * ratio, limits.maxRows),
  };
};

export interface FittedFont {
  readonly fontSize: number;
  /** The whole size is seen at once; else only a part, and it has to be moved. */
  readonly whole: boolean;
}

/** Largest readable font, not above `base`, with which `size` fits where `measured` fits with `current`. */
export const fittedFont = (
  size: Size,
  measured: Dimensions,
  font: { readonly current: number; readonly base: number },
): FittedFont => {
  if (!Number.isFinite(measured.cols) || !Number.isFinite(measured.rows)) return { fontSize: font.base, whole: true };
  const fitting = font.current * Math.min(measured.cols / size.columns, measured.rows / size.rows);
  const stepped = Math.floor(fitting / FONT_STEP) * FONT_STEP;
  return { fontSize: Math.max(READABLE_FONT, Math.min(font.base, stepped)), whole: stepped >= READABLE_FONT };
};
