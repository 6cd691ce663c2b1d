import { useEventListener } from '@vueuse/core';
import { ref, type Ref } from 'vue';
import { onMac } from '../lib/platform.ts';
import { barKeySequence, CLI_NEWLINE, keyAction, withControl, type BarKey } from './keys.ts';
import { judgePaste, pastable } from './paste.ts';
import type { Screen, ScreenHooks } from './screen.ts';
import type { TerminalSettings } from './settings.ts';

const ESCAPE = 0x1b;

export interface UseTerminalInputOptions {
  readonly host: Readonly<Ref<HTMLElement | null>>;
  readonly screen: () => Screen | null;
  /** False while the person only watches: then nobody is asked about a paste. */
  readonly takesInput: () => boolean;
  readonly settings: Readonly<Ref<TerminalSettings>>;
  /** The terminal runs the CLI and not a shell. */
  readonly runsCli: boolean;
  /** `isKey`: a key that was pressed, never an answer of the screen. */
  readonly send: (data: Uint8Array, isKey: boolean) => void;
  readonly copy: (text: string) => Promise<boolean>;
  readonly onSearchRequested: () => void;
  /** Files in a paste: they are not text for a program. */
  readonly onPasteFiles: (files: File[]) => void;
  readonly onPasteTooLong: () => void;
  readonly confirmPaste: (text: string) => Promise<boolean>;
}

/** Keys, paste, copy and the phone's key bar: everything that becomes bytes for the program. */
export const useTerminalInput = (options: UseTerminalInputOptions) => {
  const { screen, settings, runsCli } = options;
  const encoder = new TextEncoder();
  const hasSelection = ref(false);
  /** Ctrl of the key bar: changes the next key, then lets go. */
  const ctrlHeld = ref(false);
  const type = (text: string): void => options.send(encoder.encode(text), true);

  const copySelection = (): void => {
    const { selection = '' } = screen() ?? {};
    if (selection === '') return;
    options
      .copy(selection)
      .then((copied) => {
        if (copied) screen()?.clearSelection();
      })
      .catch(() => undefined);
  };
  const paste = async (given: string): Promise<void> => {
    if (!options.takesInput()) return;
    const text = pastable(given);
    // Held for a key; the first letter of a paste is none.
    ctrlHeld.value = false;
    const decision = judgePaste(text, { runsCli, bracketedPaste: screen()?.modes.bracketedPasteMode ?? false });
    if (decision === 'too-long') options.onPasteTooLong();
    else if (decision === 'paste' || (await options.confirmPaste(text))) screen()?.paste(text);
    screen()?.focus();
  };
  const pasteText = (text: string): void => {
    paste(text).catch(() => undefined);
  };

  const interceptKey: ScreenHooks['interceptKey'] = (event) => {
    const action = keyAction(event, {
      hasSelection: hasSelection.value,
      copyWithCtrlC: settings.value.copyWithCtrlC,
      pasteWithCtrlV: settings.value.pasteWithCtrlV && !onMac,
      runsCli,
    });
    if (action === null) return false;
    // The browser's own paste follows Ctrl+V and Ctrl+Shift+V, and the page's shortcuts see what is theirs.
    if (action !== 'paste' && action !== 'page') event.preventDefault();
    if (event.type !== 'keydown') return true;
    if (action === 'copy') copySelection();
    if (action === 'search') options.onSearchRequested();
    if (action === 'newline') type(CLI_NEWLINE);
    return true;
  };

  const onInput = (data: Uint8Array, isKey: boolean): void => {
    // Of sequences there is no control form. The screen's own answers are among them: they must not use Ctrl up.
    const isSequence = data.length > 1 && data[0] === ESCAPE;
    if (!ctrlHeld.value || isSequence) return options.send(data, isKey);
    ctrlHeld.value = false;
    type(withControl(new TextDecoder().decode(data)));
  };
  const pressKey = (key: BarKey): void => {
    const applicationCursor = screen()?.modes.applicationCursorKeysMode ?? false;
    type(barKeySequence(key, { ctrl: ctrlHeld.value, applicationCursor }));
    ctrlHeld.value = false;
  };

  const onPaste = (event: ClipboardEvent): void => {
    const files = [...(event.clipboardData?.files ?? [])];
    const text = event.clipboardData?.getData('text/plain') ?? '';
    event.preventDefault();
    event.stopPropagation();
    if (files.length > 0) options.onPasteFiles(files);
    else if (text !== '') pasteText(text);
  };
  useEventListener(options.host, 'paste', onPaste, { capture: true });

  const toggleCtrl = (): void => {
    ctrlHeld.value = !ctrlHeld.value;
  };
  return { hasSelection, ctrlHeld, toggleCtrl, interceptKey, onInput, pressKey, copySelection, pasteText };
};
