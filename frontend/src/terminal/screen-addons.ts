import { SCREEN_UNICODE_VERSION } from '@sac/contracts';
import { ClipboardAddon, type ClipboardSelectionType, type IClipboardProvider } from '@xterm/addon-clipboard';
import { Unicode11Addon } from '@xterm/addon-unicode11';
import { WebLinksAddon } from '@xterm/addon-web-links';
import type { ILinkHandler, Terminal } from '@xterm/xterm';

export interface ScreenAddonHooks {
  /** A program wants to put text on the clipboard (OSC 52). */
  readonly onClipboardWrite: (text: string) => Promise<void>;
  /** A link was clicked with the modifier; http and https only. */
  readonly onLink: (address: string) => void;
  readonly onLinkHover: (address: string | null) => void;
}

const isWebAddress = (address: string): boolean => ['http:', 'https:'].includes(URL.parse(address)?.protocol ?? '');

/** A plain click belongs to the program and to selecting text. */
const follow = (hooks: ScreenAddonHooks, event: MouseEvent, address: string): void => {
  if ((event.ctrlKey || event.metaKey) && isWebAddress(address)) hooks.onLink(address);
};

/** For links that a program marks as such (OSC 8). */
export const linkHandler = (hooks: ScreenAddonHooks): ILinkHandler => ({
  activate: (event, address) => follow(hooks, event, address),
  hover: (_event, address) => hooks.onLinkHover(address),
  leave: () => hooks.onLinkHover(null),
});

const clipboardFor = (hooks: ScreenAddonHooks): IClipboardProvider => ({
  // What a person has copied is never given to a program that asks.
  readText: (_selection: ClipboardSelectionType) => '',
  // The screen parses no further while this is awaited, and a person may take a while to answer.
  writeText: (_selection: ClipboardSelectionType, text: string) => {
    hooks.onClipboardWrite(text).catch(() => undefined);
  },
});

/** Widths of characters, clipboard and links; all end with the terminal. */
export const loadScreenAddons = (terminal: Terminal, hooks: ScreenAddonHooks): void => {
  terminal.loadAddon(new Unicode11Addon());
  terminal.unicode.activeVersion = SCREEN_UNICODE_VERSION;
  terminal.loadAddon(new ClipboardAddon(undefined, clipboardFor(hooks)));
  terminal.loadAddon(
    new WebLinksAddon((event, address) => follow(hooks, event, address), {
      hover: (_event, address) => hooks.onLinkHover(address),
      leave: () => hooks.onLinkHover(null),
    }),
  );
};
