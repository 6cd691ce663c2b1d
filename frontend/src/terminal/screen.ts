import { WholeCharacters, type Size } from '@sac/contracts';
import { FitAddon } from '@xterm/addon-fit';
import { SearchAddon, type ISearchOptions } from '@xterm/addon-search';
import { Terminal, type ITheme } from '@xterm/xterm';
import '@xterm/xterm/css/xterm.css';
import './screen.css';
import { fittedFont, lineHeightFactor, sizeThatFits } from './fit.ts';
import type { ScreenSink } from './output-flow.ts';
import { linkHandler, loadScreenAddons, type ScreenAddonHooks } from './screen-addons.ts';
import { wholeText } from './scrollback.ts';
import type { TerminalSettings } from './settings.ts';
import type { ScrollStep } from './touch-scroll.ts';
import { WebglRenderer } from './webgl-renderer.ts';

/** Programs bring colours made for dark pages; on a light one they would vanish. */
const MINIMUM_CONTRAST = 4.5;
/** Lines seen above a match: the search itself lies over the first ones. */
const MATCH_CONTEXT_LINES = 4;
/** Aborts whatever sequence the parser is in the middle of. */
const CANCEL = new Uint8Array([0x18]);

export interface ScreenHooks extends ScreenAddonHooks {
  /** Keys, pastes and the screen's own answers, as one piece each. `isKey`: somebody pressed it just now. */
  readonly onInput: (data: Uint8Array, isKey: boolean) => void;
  /** Called before the screen acts on a key; true: the key is dealt with or not the terminal's. */
  readonly interceptKey: (event: KeyboardEvent) => boolean;
  readonly onParsed: () => void;
  readonly onSelection: (hasSelection: boolean) => void;
}

export interface ScreenOptions {
  readonly host: HTMLElement;
  readonly settings: TerminalSettings;
  readonly theme: ITheme;
  readonly fontFamily: string;
  readonly cursorBlink: boolean;
  readonly hooks: ScreenHooks;
}

/** Height the font itself asks for, in pixels. */
const naturalLineHeight = (fontFamily: string, fontSize: number): number => {
  const context = document.createElement('canvas').getContext('2d');
  if (context === null) return fontSize;
  context.font = `${fontSize}px ${fontFamily}`;
  const { fontBoundingBoxAscent, fontBoundingBoxDescent } = context.measureText('W');
  return fontBoundingBoxAscent + fontBoundingBoxDescent;
};

/** xterm.js with its addons on one element; `dispose` ends all of them. */
export class Screen implements ScreenSink {
  readonly search = new SearchAddon();
  readonly #terminal: Terminal;
  /** What there is room for; scrolls when that is a part of the screen only. */
  readonly #box = document.createElement('div');
  readonly #fit = new FitAddon();
  readonly #webgl: WebglRenderer;
  readonly #hooks: ScreenHooks;
  readonly #encoder = new TextEncoder();
  readonly #characters = new WholeCharacters();
  #baseFontSize: number;
  #scaled = false;
  /** Part of a line that a finger has moved already. */
  #scrolledPx = 0;

  constructor(options: ScreenOptions) {
    const { settings, hooks } = options;
    this.#hooks = hooks;
    this.#baseFontSize = settings.fontSize;
    this.#terminal = new Terminal({
      allowProposedApi: true,
      cursorBlink: options.cursorBlink,
      fontFamily: options.fontFamily,
      fontSize: settings.fontSize,
      lineHeight: lineHeightFactor(naturalLineHeight(options.fontFamily, settings.fontSize), settings.fontSize),
      linkHandler: linkHandler(hooks),
      logLevel: 'off',
      minimumContrastRatio: MINIMUM_CONTRAST,
      screenReaderMode: settings.screenReader,
      scrollback: settings.scrollbackLines,
      theme: options.theme,
    });
    for (const addon of [this.#fit, this.search]) this.#terminal.loadAddon(addon);
    loadScreenAddons(this.#terminal, hooks);
    this.#box.className = 'screen-box';
    options.host.append(this.#box);
    this.#terminal.open(this.#box);
    this.#webgl = new WebglRenderer(this.#terminal);
    if (settings.renderer !== 'dom') this.#webgl.use();
    this.#listen();
  }

  get renderer(): 'webgl' | 'dom' {
    return this.#webgl.active ? 'webgl' : 'dom';
  }

  get modes(): Terminal['modes'] {
    return this.#terminal.modes;
  }

  get selection(): string {
    return this.#terminal.getSelection();
  }

  /** Lines on the screen as text, without trailing blanks. */
  get text(): string {
    const { active } = this.#terminal.buffer;
    const lines = Array.from(
      { length: this.#terminal.rows },
      (_, row) => active.getLine(active.viewportY + row)?.translateToString(true) ?? '',
    );
    return lines.join('\n').trimEnd();
  }

  /** Everything kept, as text. */
  get wholeText(): string {
    return wholeText(this.#terminal);
  }

  write(data: Uint8Array, done: () => void): void {
    this.#terminal.write(this.#characters.take(data), done);
  }

  reset(size: Size | null): void {
    this.#characters.clear();
    this.#terminal.write(CANCEL, () => {
      this.#terminal.reset();
      if (size !== null) this.#terminal.resize(size.columns, size.rows);
    });
  }

  /** Takes its turn behind what was written: a resize reflows, so the bytes around it must not move across it. */
  resize(size: Size): void {
    this.#terminal.write('', () => this.#terminal.resize(size.columns, size.rows));
  }

  /** Text as if pasted: bracketed when the program wants that. */
  paste(text: string): void {
    this.#terminal.paste(text);
  }

  focus(): void {
    this.#terminal.focus();
  }

  clearSelection(): void {
    this.#terminal.clearSelection();
  }

  /**
   * A finger moved the content. What the box shows in part only moves in it first. Where a program wants the mouse or
   * fills the screen the rest is a mouse wheel, so that it becomes reports or arrow keys; else it scrolls back.
   */
  scrollBy({ deltaX, deltaY: movedY, x, y }: ScrollStep): void {
    const { element, modes, buffer, rows } = this.#terminal;
    if (element === undefined) return;
    const top = this.#box.scrollTop;
    this.#box.scrollBy(deltaX, movedY);
    const deltaY = movedY - (this.#box.scrollTop - top);
    if (deltaY === 0) return;
    if (modes.mouseTrackingMode !== 'none' || buffer.active.type === 'alternate') {
      const at = { clientX: x, clientY: y, bubbles: true, cancelable: true };
      element.dispatchEvent(new WheelEvent('wheel', { deltaY, deltaMode: WheelEvent.DOM_DELTA_PIXEL, ...at }));
      return;
    }
    this.#scrolledPx += deltaY;
    const lineHeight = element.clientHeight / rows;
    const lineCount = Math.trunc(this.#scrolledPx / lineHeight);
    this.#scrolledPx -= lineCount * lineHeight;
    this.#terminal.scrollLines(lineCount);
  }

  /** Size that fills the box with the chosen font; null while the box is not laid out. */
  proposedSize(): Size | null {
    const proposed = this.#fit.proposeDimensions();
    return proposed === undefined ? null : sizeThatFits(proposed, this.#fontSize, this.#baseFontSize);
  }

  /**
   * The owner's font is the chosen one. Others see the owner's size: with a smaller font when it does not fit
   * their box, so that the whole screen is there while it can be read.
   */
  scaleTo(size: Size | null): void {
    const proposed = size === null ? undefined : this.#fit.proposeDimensions();
    const { fontSize, whole } =
      size === null || proposed === undefined
        ? { fontSize: this.#baseFontSize, whole: true }
        : fittedFont(size, proposed, { current: this.#fontSize, base: this.#baseFontSize });
    this.#scaled = fontSize !== this.#baseFontSize;
    if (fontSize !== this.#fontSize) this.#terminal.options.fontSize = fontSize;
    this.#box.classList.toggle('part', !whole);
  }

  find(term: string, direction: 'next' | 'previous', options: ISearchOptions): boolean {
    const found = direction === 'next' ? this.search.findNext(term, options) : this.search.findPrevious(term, options);
    if (found) this.#showMatch();
    return found;
  }

  setTheme(theme: ITheme): void {
    this.#terminal.options.theme = theme;
  }

  applySettings(settings: TerminalSettings): void {
    this.#baseFontSize = settings.fontSize;
    if (!this.#scaled) this.#terminal.options.fontSize = settings.fontSize;
    this.#terminal.options.scrollback = settings.scrollbackLines;
    this.#terminal.options.screenReaderMode = settings.screenReader;
    if (settings.renderer === 'dom') this.#webgl.drop();
    else this.#webgl.use(settings.renderer === 'webgl');
  }

  dispose(): void {
    this.#webgl.drop();
    this.#terminal.dispose();
    this.#box.remove();
  }

  /** The addon is content with a match anywhere on the screen. */
  #showMatch(): void {
    const { buffer, cols } = this.#terminal;
    const match = this.#terminal.getSelectionPosition()?.start;
    if (match === undefined) return;
    this.#terminal.scrollLines(Math.min(0, match.y - buffer.active.viewportY - MATCH_CONTEXT_LINES));
    // Of a screen that is there in part the part with the match.
    this.#box.scrollLeft = (match.x / cols) * this.#box.scrollWidth - this.#box.clientWidth / 2;
  }

  get #fontSize(): number {
    return this.#terminal.options.fontSize ?? this.#baseFontSize;
  }

  #listen(): void {
    // xterm.js says which key before it hands out its bytes, with nothing parsed in between.
    let key: string | null = null;
    this.#terminal.onKey((pressed) => (key = pressed.key));
    this.#terminal.onData((text) => {
      const isKey = text === key;
      key = null;
      this.#hooks.onInput(this.#encoder.encode(text), isKey);
    });
    // Old mouse reports are bytes, not text: each character is one.
    this.#terminal.onBinary((text) =>
      this.#hooks.onInput(
        Uint8Array.from(text, (character) => character.charCodeAt(0) & 0xff),
        false,
      ),
    );
    this.#terminal.onWriteParsed(() => this.#hooks.onParsed());
    this.#terminal.onSelectionChange(() => this.#hooks.onSelection(this.#terminal.hasSelection()));
    this.#terminal.attachCustomKeyEventHandler((event) => !this.#hooks.interceptKey(event));
  }
}
