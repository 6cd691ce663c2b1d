import { setTimeout as delay } from 'node:timers/promises';
import type { CliName } from '@sac/contracts';
import type { HookEvent } from '../hooks/hook-event.ts';
import type { Activity } from './activity.ts';
import { meaningOf } from './activity.ts';
import type { ControlClient } from './control-client.ts';
import { clearKeys, lineCount } from './prompt-delivery.ts';
import { boxShowsPrompt, inputBoxText } from './prompt-text.ts';

const ESC = '\u001b';
const CTRL_C = '\u0003';
const LOOK_EVERY_MS = 100;
const STOP_DEADLINE_MS = 3_000;
const MAX_ATTEMPTS = 4;
/** Time in which the CLI puts an unanswered prompt back into its box. */
const REDRAW_MS = 1_000;

export interface InterruptParts {
  readonly cli: CliName;
  readonly control: ControlClient;
  readonly activity: () => Activity;
}

/** Stops what the CLI does, as a person would with Esc. */
export class Interrupter {
  readonly #parts: InterruptParts;
  #lastPrompt: string | null = null;

  constructor(parts: InterruptParts) {
    this.#parts = parts;
  }

  hook(event: HookEvent): void {
    if (meaningOf(event.event) === 'UserPromptSubmit' && event.subagentId === null && event.prompt !== null)
      this.#lastPrompt = event.prompt;
  }

  /** @throws when the terminal cannot be reached */
  async interrupt(signal: AbortSignal): Promise<void> {
    const { cli, control } = this.#parts;
    if (cli === 'shell') return control.keys(CTRL_C);
    if (cli === 'opencode') return this.#twice(signal);
    // With nothing to stop, Esc would open menus (twice: rewind) or drop a draft.
    if (!this.#busy()) return;
    await control.keys(ESC);
    for (let waitedMs = 0; waitedMs < STOP_DEADLINE_MS && this.#busy(); waitedMs += LOOK_EVERY_MS) {
      await delay(LOOK_EVERY_MS, undefined, { signal });
    }
    await this.#clearReturnedPrompt(signal);
  }

  #busy(): boolean {
    const { state } = this.#parts.activity();
    return state === 'working' || state === 'waiting';
  }

  /** opencode asks for a second Esc, and takes neither in the first moments of a turn. */
  async #twice(signal: AbortSignal): Promise<void> {
    for (let attempt = 0; attempt < MAX_ATTEMPTS && this.#busy(); attempt += 1) {
      await this.#parts.control.keys(ESC);
      await delay(200, undefined, { signal });
      await this.#parts.control.keys(ESC);
      for (let waitedMs = 0; waitedMs < STOP_DEADLINE_MS && this.#busy(); waitedMs += LOOK_EVERY_MS)
        await delay(LOOK_EVERY_MS, undefined, { signal });
    }
  }

  /** Esc before any output puts the prompt back into the box, where the next one would be appended to it. */
  async #clearReturnedPrompt(signal: AbortSignal): Promise<void> {
    if (this.#lastPrompt === null) return;
    for (let waitedMs = 0; waitedMs < REDRAW_MS; waitedMs += LOOK_EVERY_MS) {
      await delay(LOOK_EVERY_MS, undefined, { signal });
      const box = inputBoxText(await this.#parts.control.screen());
      if (!boxShowsPrompt(box, this.#lastPrompt)) continue;
      return this.#parts.control.keys(clearKeys(lineCount(this.#lastPrompt)));
    }
  }
}
