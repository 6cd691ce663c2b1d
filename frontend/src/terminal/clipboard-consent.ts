/** Characters a program may put on the clipboard; what is longer is cut off by nobody but refused. */
export const CLIPBOARD_MAX_CHARACTERS = 1024 * 1024;

export type Consent = 'once' | 'never';

export interface ClipboardConsentOptions {
  /** Asks the person. Never called while an earlier question is open. */
  readonly ask: (text: string) => Promise<Consent>;
  readonly copy: (text: string) => Promise<boolean>;
}

/** A program that writes the clipboard can put commands there, so nothing is written before a person agreed. */
export class ClipboardConsent {
  readonly #options: ClipboardConsentOptions;
  #refused = false;
  #asking = false;

  constructor(options: ClipboardConsentOptions) {
    this.#options = options;
  }

  /** True when the text is on the clipboard now. */
  async write(text: string): Promise<boolean> {
    if (text === '' || text.length > CLIPBOARD_MAX_CHARACTERS || this.#refused || this.#asking) return false;
    if (!(await this.#agreed(text))) return false;
    return this.#options.copy(text);
  }

  async #agreed(text: string): Promise<boolean> {
    this.#asking = true;
    try {
      const consent = await this.#options.ask(text);
      this.#refused = consent === 'never';
      return consent !== 'never';
    } finally {
      this.#asking = false;
    }
  }
}
