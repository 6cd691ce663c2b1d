import { setTimeout as delay } from 'node:timers/promises';
import type { CommandResult, SandboxCommand } from '@sac/contracts';
import type { HookEvent } from '../hooks/hook-event.ts';
import type { ActivitySource } from '../profiles/profile.ts';
import { meaningOf } from './activity.ts';
import type { ControlClient } from './control-client.ts';
import type { DeliveryStore } from './delivery-record.ts';
import {
  boxShowsPrompt,
  boxShowsPromptBehindText,
  holdsPrompt,
  inputBoxText,
  isBuiltIn,
  isClear,
  submittable,
} from './prompt-text.ts';
import { Signals } from './signals.ts';

type PromptCommand = Extract<SandboxCommand, { kind: 'prompt' }>;

/** A prompt may wait for hours behind a long turn, but not for ever. */
const READY_DEADLINE_MS = 24 * 3_600_000;
/** The CLI reports a submitted prompt within milliseconds; a loaded machine and large pastes take longer. */
const LOOK_AGAIN_MS = 700;
const SETTLE_MS = 4_000;
const GIVE_UP_MS = 25_000;
/** Longer than all looks together: a hook that comes late is heard as long as somebody looks. */
const HOOK_MS = 2 * GIVE_UP_MS;
const LOOK_EVERY_MS = 1_000;
/** CLIs other than Claude Code may take a return that comes together with a paste for a line of it. */
const SUBMIT_APART_MS = 150;
const MAX_RETURNS = 5;
const MAX_REPEATED_PASTES = 3;
const CTRL_U = '\u0015';
const MAX_CLEAR_KEYS = 400;
const LEAST_CLEARED_LINES = 10;

const done: CommandResult = { outcome: 'done', reason: null };
const failed = (reason: string): CommandResult => ({ outcome: 'failed', reason });
const unknown = (reason: string): CommandResult => ({ outcome: 'unknown', reason });

export interface DeliveryParts {
  readonly control: ControlClient;
  readonly store: DeliveryStore;
  readonly source: ActivitySource;
  readonly ready: () => boolean;
  /** The CLI is in a turn. */
  readonly busy: () => boolean;
  readonly transcriptHolds: (text: string, sinceMs: number) => Promise<boolean>;
}

export const lineCount = (text: string): number => text.split('\n').length;

/** Keys that empty a box of so many lines: each takes a line, or joins two. */
export const clearKeys = (lines: number): string => CTRL_U.repeat(Math.min(2 * lines + 2, MAX_CLEAR_KEYS));

/**
 * Brings one prompt into the CLI exactly once, or says that this cannot be decided. Never two at a time: the
 * caller hands over the next one when the promise has settled.
 */
export class PromptDelivery {
  readonly #parts: DeliveryParts;
  readonly #hooks = new Signals<HookEvent>();
  readonly #stateChanges = new Signals<void>();
  #lastPrompt = '';

  constructor(parts: DeliveryParts) {
    this.#parts = parts;
  }

  hook(event: HookEvent): void {
    if (meaningOf(event.event) === 'UserPromptSubmit' && event.prompt !== null) this.#lastPrompt = event.prompt;
    this.#hooks.emit(event);
  }

  stateChanged(): void {
    this.#stateChanges.emit();
  }

  /** @throws AbortError when `signal` ends the wait before anything was pasted; disk and control errors */
  async deliver(command: PromptCommand, signal: AbortSignal): Promise<CommandResult> {
    const { store } = this.#parts;
    const before = await store.read();
    if (before?.commandId === command.id) return before.result ?? this.#decideAfterCrash(command, before.startedAtMs);
    if (!(await this.#waitUntilReady(signal))) return failed('The agent was not ready for a prompt within a day.');
    const startedAtMs = Date.now();
    await store.write({ commandId: command.id, startedAtMs, result: null });
    const result = await this.#pasteAndSettle(command, startedAtMs);
    await this.#keep(command, startedAtMs, result);
    return result;
  }

  /** What is known stays known on a full disk: the record that the paste began already keeps it from being sent twice. */
  async #keep({ id }: PromptCommand, startedAtMs: number, result: CommandResult): Promise<void> {
    await this.#parts.store.write({ commandId: id, startedAtMs, result }).catch(() => undefined);
  }

  async #waitUntilReady(signal: AbortSignal): Promise<boolean> {
    const deadline = performance.now() + READY_DEADLINE_MS;
    while (!this.#parts.ready()) {
      signal.throwIfAborted();
      if (performance.now() >= deadline) return false;
      // The second bound covers CLIs that become ready by nothing happening.
      await this.#stateChanges.next(() => true, 1_000, signal);
    }
    return true;
  }

  async #decideAfterCrash(command: PromptCommand, startedAtMs: number): Promise<CommandResult> {
    const taken = await this.#parts.transcriptHolds(command.text, startedAtMs);
    const result = taken
      ? done
      : unknown(
          'The sandbox was interrupted while this prompt was being sent. Look at the terminal before sending it again.',
        );
    await this.#keep(command, startedAtMs, result);
    return result;
  }

  async #pasteAndSettle(command: PromptCommand, startedAtMs: number): Promise<CommandResult> {
    const { source, transcriptHolds } = this.#parts;
    const settled = this.#hooks.next((event) => this.#settles(event, command.text), HOOK_MS);
    const confirmed = settled.then((event) => event !== null);
    const another = this.#hooks.next((event) => isSubmission(event) && !this.#settles(event, command.text), HOOK_MS);
    let tookAnother = false;
    void another.then((event) => (tookAnother ||= event !== null));
    try {
      await this.#pasteAndSubmit(command.text);
      if (source === 'none') return done;
      if (await within(confirmed, LOOK_AGAIN_MS)) return done;
      if (await this.#submitAgainOrSettled(command.text, confirmed)) return done;
      if (isBuiltIn(command.text)) return await this.#builtInResult(command.text);
      return await this.#lookForSigns(command, startedAtMs, { confirmed, tookAnother: () => tookAnother });
    } catch (error) {
      if (await transcriptHolds(command.text, startedAtMs)) return done;
      const reason = error instanceof Error ? error.message : String(error);
      return unknown(`The connection to the terminal was lost while this prompt was being sent (${reason}).`);
    } finally {
      settled.cancel();
      another.cancel();
    }
  }

  async #pasteAndSubmit(prompt: string): Promise<void> {
    const { control, source } = this.#parts;
    await this.#emptyBox();
    const apart = source === 'hooks' || source === 'quiet-hooks';
    const text = source === 'none' ? prompt : submittable(prompt);
    await control.paste(text, { submit: !apart, clearFirst: true });
    if (apart) await delay(SUBMIT_APART_MS).then(() => control.keys('\r'));
  }

  /**
   * The hook did not come in time: it may be late, or lost. The transcript tells too, and so does a turn that began with our
   * text gone from the box, unless the CLI says that another text began it.
   */
  async #lookForSigns(
    command: PromptCommand,
    startedAtMs: number,
    { confirmed, tookAnother }: { readonly confirmed: Promise<boolean>; readonly tookAnother: () => boolean },
  ): Promise<CommandResult> {
    const { busy, control, transcriptHolds } = this.#parts;
    let returns = 0;
    let pastes = 0;
    const deadline = performance.now() + GIVE_UP_MS;
    while (performance.now() < deadline) {
      if (await within(confirmed, LOOK_EVERY_MS)) return done;
      if (await transcriptHolds(command.text, startedAtMs)) return done;
      const box = inputBoxText(await control.screen());
      const inBox = boxShowsPrompt(box, command.text);
      // Claude Code puts /clear back into its box for as long as it clears, in front of what came meanwhile.
      const isBehind = boxShowsPromptBehindText(box, command.text);
      if (busy() && box !== null && !inBox && !isBehind && !tookAnother()) return done;
      if (busy()) continue;
      // A loaded machine draws the text late, and the return that came before it was lost.
      if (inBox && (returns += 1) <= MAX_RETURNS) await control.keys('\r');
      if (isBehind && (pastes += 1) <= MAX_REPEATED_PASTES) await this.#pasteAndSubmit(command.text);
    }
    return unknown('The agent did not confirm this prompt. Look at the terminal before sending it again.');
  }

  #settles(event: HookEvent, text: string): boolean {
    if (meaningOf(event.event) === 'SessionStart') return event.source === 'clear' && isClear(text);
    return isSubmission(event) && holdsPrompt(event.prompt, text);
  }

  /** A carriage return that came too early is lost and the text stays in the box: then it is sent once more, alone. */
  async #submitAgainOrSettled(text: string, confirmed: Promise<boolean>): Promise<boolean> {
    const box = inputBoxText(await this.#parts.control.screen());
    if (boxShowsPrompt(box, text)) await this.#parts.control.keys('\r');
    return within(confirmed, isBuiltIn(text) ? LOOK_AGAIN_MS : SETTLE_MS);
  }

  /** Built-in commands fire no hook: they are done when they left the box. */
  async #builtInResult(text: string): Promise<CommandResult> {
    const box = inputBoxText(await this.#parts.control.screen());
    return boxShowsPrompt(box, text) ? unknown('The command is still in the input box of the terminal.') : done;
  }

  /**
   * Always, not only when the screen shows text: a prompt that an interrupt put back may not be drawn yet. In an
   * empty box the keys do nothing.
   */
  async #emptyBox(): Promise<void> {
    if (this.#parts.source === 'none') return;
    await this.#parts.control.keys(clearKeys(Math.max(LEAST_CLEARED_LINES, lineCount(this.#lastPrompt))));
  }
}

/** The CLI took a text from its input box. */
const isSubmission = (event: HookEvent): event is HookEvent & { readonly prompt: string } =>
  meaningOf(event.event) === 'UserPromptSubmit' && event.subagentId === null && event.prompt !== null;

/** True as soon as the promise becomes true; false after `ms`, never sooner: looks at the screen keep their pauses. */
const within = (promise: Promise<boolean>, ms: number): Promise<boolean> =>
  new Promise((resolve, reject) => {
    const timer = setTimeout(() => resolve(false), ms);
    promise.then((isTrue) => {
      if (!isTrue) return;
      clearTimeout(timer);
      resolve(true);
    }, reject);
  });
