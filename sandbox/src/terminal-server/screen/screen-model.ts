import { Unicode11Addon } from '@xterm/addon-unicode11';
import headless, { type Terminal } from '@xterm/headless';
import { clampTitle, SCREEN_UNICODE_VERSION, WholeCharacters, type Size } from '@sac/contracts';
import { bounds } from '../constants.ts';
import { coreOf, PARSER_GROUND, type Cell, type Core } from './internals.ts';
import { findScrolledAway } from './scrolled-away.ts';
import { serializeScreen } from './serialize.ts';
import { TrackedState } from './tracked-state.ts';

export interface ScreenText {
  /** The visible rows, without trailing blanks. */
  readonly lines: readonly string[];
  readonly cursor: { readonly x: number; readonly y: number };
  readonly modes: { readonly bracketedPaste: boolean; readonly alternateScreen: boolean };
}

export interface ScreenModelEvents {
  readonly onTitle: (title: string) => void;
  /** The emulator answers a question in the output, after the first `at` bytes of this write. */
  readonly onReply: (data: string, at: number) => void;
}

const ESCAPE = 0x1b;
const C1_LEAD = 0xc2;
const c1Introducers = new Set([0x90, 0x98, 0x9b, 0x9d, 0x9e, 0x9f]);
const OSC_SECOND_BYTES = new Set([0x5d, 0x9d]);
/** Stand for a sequence too long to keep: everything up to its end is swallowed. The two kinds end differently. */
const OVERLONG_OSC = Buffer.from('\x1b]9999;');
const OVERLONG_STRING = Buffer.from('\x1b_');

const lastIntroducer = (bytes: Uint8Array): number => {
  for (let index = bytes.length - 1; index >= 0; index--) {
    if (bytes[index] === ESCAPE) return index;
    if (bytes[index] === C1_LEAD && c1Introducers.has(bytes[index + 1] ?? 0)) return index;
  }
  return -1;
};

const NOTHING = new Uint8Array(0);

/** One headless emulator: what a viewer that saw everything has on its screen. */
export class ScreenModel {
  readonly #terminal: Terminal;
  readonly #core: Core;
  readonly #tracked: TrackedState;
  readonly #cells: readonly [Cell, Cell];
  readonly #characters = new WholeCharacters();
  /** The sequence that the parser is in the middle of. */
  #pending: Uint8Array = NOTHING;
  /** Bytes of the write under way that are behind us. */
  #done = 0;

  constructor(size: Size, events: ScreenModelEvents) {
    this.#terminal = new headless.Terminal({
      cols: size.columns,
      rows: size.rows,
      scrollback: bounds.scrollbackLines,
      allowProposedApi: true,
      logLevel: 'off',
    });
    const unicode = new Unicode11Addon();
    // The add-on is typed for the browser's terminal; the two share the interface it uses.
    this.#terminal.loadAddon(unicode as unknown as Parameters<Terminal['loadAddon']>[0]);
    this.#terminal.unicode.activeVersion = SCREEN_UNICODE_VERSION;
    this.#core = coreOf(this.#terminal);
    this.#tracked = new TrackedState(this.#terminal);
    const { normal } = this.#terminal.buffer;
    this.#cells = [normal.getNullCell() as Cell, normal.getNullCell() as Cell];
    this.#terminal.onData((data) => events.onReply(data, this.#done));
    this.#terminal.onTitleChange((title) => {
      this.#tracked.title = clampTitle(title);
      events.onTitle(this.#tracked.title);
    });
  }

  /** What scrolls out of the scrollback within `bytes` is not drawn: the more comes at once, the less a byte costs. */
  write(bytes: Uint8Array): void {
    this.#done = 0;
    for (const { from, to, colors } of findScrolledAway(bytes, this.#keptLines)) {
      this.#drawUpTo(bytes, from);
      if (!this.#scrollsWhole) continue;
      this.#draw(colors);
      this.#done = to;
    }
    this.#drawUpTo(bytes, bytes.length);
  }

  resize(size: Size): void {
    this.#terminal.resize(size.columns, size.rows);
  }

  snapshot(maxBytes: number): Uint8Array {
    const pending = Buffer.concat([this.#pending, this.#characters.rest]);
    return serializeScreen(this.#core, this.#tracked, this.#cells, { maxBytes, pending });
  }

  screen(): ScreenText {
    const { active } = this.#terminal.buffer;
    const lines = Array.from(
      { length: this.#terminal.rows },
      (_, row) => active.getLine(active.baseY + row)?.translateToString(true) ?? '',
    );
    return {
      lines,
      cursor: { x: active.cursorX, y: active.cursorY },
      modes: { bracketedPaste: this.#terminal.modes.bracketedPasteMode, alternateScreen: active.type === 'alternate' },
    };
  }

  /** The last lines of the normal screen and its scrollback as plain text, at most `maxBytes` of UTF-8. */
  text(maxBytes: number): string {
    const { active } = this.#terminal.buffer;
    const lines: string[] = [];
    let bytes = 0;
    for (let index = active.length - 1; index >= 0; index--) {
      const line = active.getLine(index)?.translateToString(true) ?? '';
      if (line === '' && lines.length === 0) continue;
      bytes += Buffer.byteLength(line) + 1;
      if (bytes > maxBytes) break;
      lines.push(line);
    }
    return lines.reverse().join('\n');
  }

  dispose(): void {
    this.#tracked.dispose();
    this.#terminal.dispose();
  }

  get #keptLines(): number {
    return bounds.scrollbackLines + 2 * this.#terminal.rows;
  }

  /** Every further line moves all lines up by one. */
  get #scrollsWhole(): boolean {
    const { scrollTop, scrollBottom } = this.#core.buffers.active;
    return (
      this.#core._inputHandler._parser.currentState === PARSER_GROUND &&
      scrollTop === 0 &&
      scrollBottom === this.#terminal.rows - 1
    );
  }

  #drawUpTo(bytes: Uint8Array, end: number): void {
    while (this.#done < end) {
      const to = Math.min(end, this.#done + bounds.modelBatchBytes);
      this.#draw(bytes.subarray(this.#done, to));
      this.#done = to;
    }
  }

  #draw(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    const whole = this.#characters.take(bytes);
    this.#core.writeSync(whole);
    if (this.#core._inputHandler._parser.currentState === PARSER_GROUND) this.#pending = NOTHING;
    else this.#keepUnfinished(whole);
  }

  /** The parser is inside a sequence: keep its bytes from the introducer on. */
  #keepUnfinished(bytes: Uint8Array): void {
    const start = lastIntroducer(bytes);
    const unfinished = start >= 0 ? Uint8Array.from(bytes.subarray(start)) : Buffer.concat([this.#pending, bytes]);
    // A copy: a view would keep the whole batch alive, and grow with every one that follows.
    if (unfinished.length <= bounds.pendingSequenceBytes) this.#pending = unfinished;
    else this.#pending = OSC_SECOND_BYTES.has(unfinished[1] ?? 0) ? OVERLONG_OSC : OVERLONG_STRING;
  }
}
