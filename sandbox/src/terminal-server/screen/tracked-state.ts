import type { IDisposable, Terminal } from '@xterm/headless';

const MAX_COLORS = 300;
const MAX_SPEC_CHARACTERS = 64;
const MAX_KITTY_LEVELS = 16;
const BLINK_MODE = 12;
const INDEXED = 4;
const RESET_INDEXED = 104;

type Parameters = readonly (number | number[])[];
const numberAt = (parameters: Parameters, index: number): number => {
  const value = parameters[index];
  return typeof value === 'number' ? value : 0;
};

/** What programs set and the headless emulator forgets: colours, keyboard flags, the blink mode, the title. */
export class TrackedState {
  /** Mode 12 was set or reset by the program, so the viewer's own preference no longer counts. */
  cursorBlinkSet = false;
  title = '';
  readonly #indexed = new Map<string, string>();
  readonly #special = new Map<number, string>();
  #kitty: number[][] = [[], []];
  readonly #terminal: Terminal;
  readonly #handlers: IDisposable[];

  constructor(terminal: Terminal) {
    this.#terminal = terminal;
    const { parser } = terminal;
    const blink = (parameters: Parameters): boolean => {
      if (parameters.includes(BLINK_MODE)) this.cursorBlinkSet = true;
      return false;
    };
    this.#handlers = [
      parser.registerCsiHandler({ prefix: '?', final: 'h' }, blink),
      parser.registerCsiHandler({ prefix: '?', final: 'l' }, blink),
      parser.registerCsiHandler({ prefix: '>', final: 'u' }, (parameters) => this.#pushKitty(numberAt(parameters, 0))),
      parser.registerCsiHandler({ prefix: '<', final: 'u' }, (parameters) =>
        this.#popKitty(numberAt(parameters, 0) || 1),
      ),
      parser.registerCsiHandler({ prefix: '=', final: 'u' }, (parameters) =>
        this.#setKitty(numberAt(parameters, 0), numberAt(parameters, 1) || 1),
      ),
      parser.registerEscHandler({ final: 'c' }, () => this.#reset()),
      parser.registerOscHandler(INDEXED, (data) => this.#setIndexed(data)),
      parser.registerOscHandler(RESET_INDEXED, (data) => this.#resetIndexed(data)),
      ...[10, 11, 12].flatMap((code) => [
        parser.registerOscHandler(code, (data) => this.#setSpecial(code, data)),
        parser.registerOscHandler(code + 100, () => {
          this.#special.delete(code);
          return false;
        }),
      ]),
    ];
  }

  /** Sequences that set all of it again. */
  sequences(): string {
    const indexed = [...this.#indexed].map(([index, spec]) => `\x1b]4;${index};${spec}\x1b\\`);
    const special = [...this.#special].map(([code, spec]) => `\x1b]${code};${spec}\x1b\\`);
    const kitty = this.#stack().map((flags) => `\x1b[>${flags}u`);
    return [...indexed, ...special, ...kitty, this.title === '' ? '' : `\x1b]2;${this.title}\x1b\\`].join('');
  }

  dispose(): void {
    for (const handler of this.#handlers) handler.dispose();
  }

  #reset(): false {
    this.#kitty = [[], []];
    return false;
  }

  #stack(): number[] {
    return this.#kitty[this.#terminal.buffer.active.type === 'alternate' ? 1 : 0] ?? [];
  }

  #pushKitty(flags: number): false {
    const stack = this.#stack();
    stack.push(flags);
    if (stack.length > MAX_KITTY_LEVELS) stack.shift();
    return false;
  }

  #popKitty(count: number): false {
    const stack = this.#stack();
    stack.splice(Math.max(0, stack.length - count));
    return false;
  }

  #setKitty(flags: number, how: number): false {
    const stack = this.#stack();
    const old = stack.pop() ?? 0;
    stack.push(how === 1 ? flags : how === 2 ? old | flags : old & ~flags);
    return false;
  }

  #setIndexed(data: string): false {
    const parts = data.split(';', 2 * MAX_COLORS);
    for (let index = 0; index + 1 < parts.length; index += 2) {
      const [color, spec] = [parts[index] ?? '', parts[index + 1] ?? ''];
      if (/^[0-9]{1,3}$/.test(color) && this.#isSpec(spec) && this.#indexed.size < MAX_COLORS)
        this.#indexed.set(color, spec);
    }
    return false;
  }

  #resetIndexed(data: string): false {
    if (data === '') this.#indexed.clear();
    else for (const color of data.split(';', MAX_COLORS)) this.#indexed.delete(color);
    return false;
  }

  /** `OSC 10;a;b` sets 10 and 11. */
  #setSpecial(code: number, data: string): false {
    data.split(';', 3).forEach((spec, index) => {
      if (this.#isSpec(spec) && code + index <= 12) this.#special.set(code + index, spec);
    });
    return false;
  }

  #isSpec(spec: string): boolean {
    return spec !== '?' && spec !== '' && spec.length <= MAX_SPEC_CHARACTERS;
  }
}
