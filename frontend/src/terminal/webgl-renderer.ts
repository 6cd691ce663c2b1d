import { WebglAddon } from '@xterm/addon-webgl';
import type { Terminal } from '@xterm/xterm';

/** The fast renderer while it can be had. A page has few WebGL contexts and a driver can take one away; the DOM always works. */
export class WebglRenderer {
  readonly #terminal: Terminal;
  #addon: WebglAddon | null = null;
  #lost = false;

  constructor(terminal: Terminal) {
    this.#terminal = terminal;
  }

  get active(): boolean {
    return this.#addon !== null;
  }

  /** `insist`: also after the context was lost once. */
  use(insist = false): void {
    if (this.#addon !== null || (this.#lost && !insist)) return;
    const addon = new WebglAddon();
    try {
      this.#terminal.loadAddon(addon);
    } catch {
      addon.dispose();
      return;
    }
    addon.onContextLoss(() => {
      this.#lost = true;
      this.drop();
    });
    this.#addon = addon;
  }

  drop(): void {
    this.#addon?.dispose();
    this.#addon = null;
  }
}
