import type { TerminalMode } from '@sac/contracts';
import { useDocumentVisibility, useEventListener, useThrottleFn } from '@vueuse/core';
import { computed, onScopeDispose, shallowRef, toValue, watch, type MaybeRefOrGetter } from 'vue';
import { ApiError } from '../api/api-error.ts';
import type { Api } from '../api/client.ts';
import { TerminalConnection } from './connection.ts';
import type { TicketFailure } from './reconnect-policy.ts';
import type { ScreenHooks } from './screen.ts';
import { useTerminalSettings } from './settings.ts';
import { initialStatus } from './status.ts';
import { useScreen, type UseScreenOptions } from './use-screen.ts';
import { useTerminalInput, type UseTerminalInputOptions } from './use-terminal-input.ts';

const FACTS_EVERY_MS = 200;

type InputOptions = Pick<
  UseTerminalInputOptions,
  'runsCli' | 'copy' | 'onSearchRequested' | 'onPasteFiles' | 'onPasteTooLong' | 'confirmPaste'
>;
export interface UseTerminalOptions
  extends
    Pick<UseScreenOptions, 'host' | 'theme'>,
    InputOptions,
    Pick<ScreenHooks, 'onClipboardWrite' | 'onLink' | 'onLinkHover'> {
  readonly api: Api;
  readonly sessionId: string;
  readonly terminal: string;
  /** `view`: nothing that is typed here is sent. */
  readonly mode: MaybeRefOrGetter<TerminalMode>;
  /** False while another tab of the page is in front. */
  readonly active: MaybeRefOrGetter<boolean>;
}

/** What a test, a support person or a tooltip may want to know. */
export interface TerminalFacts {
  readonly renderer: 'webgl' | 'dom' | null;
  readonly stream: string | null;
  /** Bytes of the stream that this screen has parsed. */
  readonly offset: number;
}

const ticketFailureOf = (error: unknown): TicketFailure =>
  error instanceof ApiError
    ? error
    : { code: 'network', message: error instanceof Error ? error.message : String(error), requestId: '' };

/** The address in a ticket is relative to the page; a socket wants a whole one. */
const socketAddress = (path: string): string => {
  const url = new URL(path, location.href);
  url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
  return url.href;
};

/**
 * One terminal: screen, socket, input and what belongs to them, from setup until the scope ends. The server
 * decides about the size; what the box could hold is only offered.
 */
export const useTerminal = (options: UseTerminalOptions) => {
  const status = shallowRef(initialStatus);
  const facts = shallowRef<TerminalFacts>({ renderer: null, stream: null, offset: 0 });
  const { settings } = useTerminalSettings();

  const input = useTerminalInput({
    ...options,
    settings,
    takesInput: () => toValue(options.mode) === 'control',
    screen: () => view.screen.value,
    send: (data, isKey) => void connection.input(data, isKey),
  });
  const noteFacts = useThrottleFn(
    () => {
      facts.value = { renderer: view.screen.value?.renderer ?? null, ...connection.position };
    },
    FACTS_EVERY_MS,
    true,
  );
  const note = (): void => {
    noteFacts().catch(() => undefined);
  };
  const adaptSize = (): void => {
    const { owner, size, resumable } = status.value;
    view.screen.value?.scaleTo(owner || !resumable ? null : size);
    connection.sizeChanged();
    note();
  };

  const view = useScreen({
    host: options.host,
    theme: options.theme,
    settings,
    hooks: {
      onInput: input.onInput,
      interceptKey: input.interceptKey,
      onClipboardWrite: options.onClipboardWrite,
      onLink: options.onLink,
      onLinkHover: options.onLinkHover,
      onParsed: note,
      onSelection: (selected) => {
        input.hasSelection.value = selected;
      },
    },
    // Nothing is asked for before there is a screen to show it.
    onReady: () => {
      note();
      connection.connect();
    },
    onLayout: adaptSize,
  });
  const connection = new TerminalConnection({
    mode: () => toValue(options.mode),
    screen: {
      write: (data, done) => view.screen.value?.write(data, done),
      reset: (size) => view.screen.value?.reset(size),
      resize: (size) => view.screen.value?.resize(size),
    },
    requestTicket: async (signal) => {
      const params = { sessionId: options.sessionId, name: options.terminal };
      const call = { params, body: { mode: toValue(options.mode) } };
      return socketAddress((await options.api.call('createTicket', call, { signal })).url);
    },
    ticketFailureOf,
    proposedSize: () => view.screen.value?.proposedSize() ?? null,
    onStatus: (next) => {
      status.value = next;
    },
  });
  watch([() => status.value.owner, () => status.value.size], adaptSize);

  watch(
    () => toValue(options.mode),
    () => connection.modeChanged(),
  );

  const visibility = useDocumentVisibility();
  const visible = computed(() => visibility.value === 'visible' && toValue(options.active));
  watch(visible, (now) => connection.setVisible(now), { immediate: true });
  useEventListener(window, ['online', 'focus'], () => connection.nudge());
  onScopeDispose(() => connection.disconnect());

  return {
    ...input,
    status,
    facts,
    screen: view.screen,
    loadError: view.loadError,
    load: view.load,
    reconnect: () => connection.reconnect(),
    nudge: () => connection.nudge(),
    takeOwnership: () => connection.takeOwnership(),
    focus: () => view.screen.value?.focus(),
  };
};
