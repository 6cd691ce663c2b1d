import type { IBufferCell, Terminal } from '@xterm/headless';

/**
 * The state of the emulator that its public interface does not show. The version is pinned exactly; names
 * are those of xterm.js 6.0.0, and internals.test.ts fails when one of them moves.
 */
export interface Attributes {
  readonly fg: number;
  readonly bg: number;
  readonly extended: { readonly _ext: number; readonly urlId: number };
}
export type Cell = IBufferCell & Attributes;

export interface Line {
  readonly isWrapped: boolean;
  readonly length: number;
  loadCell(column: number, cell: Cell): Cell;
}

export type Charset = object | undefined;

export interface ScreenBuffer {
  readonly lines: { readonly length: number; get(index: number): Line | undefined };
  readonly x: number;
  readonly y: number;
  readonly ybase: number;
  readonly savedX: number;
  readonly savedY: number;
  readonly savedCurAttrData: Attributes;
  readonly savedCharset: Charset;
  readonly scrollTop: number;
  readonly scrollBottom: number;
  readonly tabs: Readonly<Record<number, boolean | undefined>>;
}

export interface Core {
  readonly cols: number;
  readonly rows: number;
  writeSync(data: Uint8Array | string): void;
  readonly buffers: { readonly normal: ScreenBuffer; readonly alt: ScreenBuffer; readonly active: ScreenBuffer };
  readonly coreService: {
    readonly isCursorHidden: boolean;
    readonly modes: { readonly insertMode: boolean };
    readonly decPrivateModes: {
      readonly applicationCursorKeys: boolean;
      readonly applicationKeypad: boolean;
      readonly bracketedPasteMode: boolean;
      readonly cursorBlink: boolean | undefined;
      readonly cursorStyle: 'block' | 'underline' | 'bar' | undefined;
      readonly origin: boolean;
      readonly reverseWraparound: boolean;
      readonly sendFocus: boolean;
      readonly synchronizedOutput: boolean;
      readonly wraparound: boolean;
    };
  };
  readonly coreMouseService: { readonly activeProtocol: string; readonly activeEncoding: string };
  readonly options: { readonly cursorBlink: boolean; readonly convertEol: boolean };
  readonly _charsetService: {
    readonly charset: Charset;
    readonly glevel: number;
    readonly _charsets: readonly Charset[];
  };
  readonly _oscLinkService: { getLinkData(id: number): { readonly id?: string; readonly uri: string } | undefined };
  readonly _inputHandler: {
    readonly _curAttrData: Attributes;
    readonly _parser: { readonly currentState: number; readonly precedingJoinState: number };
  };
}

export const coreOf = (terminal: Terminal): Core => (terminal as unknown as { readonly _core: Core })._core;

export const PARSER_GROUND = 0;
