import type { RecordingSegment } from '@sac/contracts';
import { useRafFn } from '@vueuse/core';
import { computed, onScopeDispose, ref, shallowRef, watch, type Ref } from 'vue';
import { useUiStore } from '../../stores/ui.ts';
import { useTerminalSettings } from '../../terminal/settings.ts';
import { useScreen } from '../../terminal/use-screen.ts';
import type { Segment } from './cast.ts';
import { Player, type PlayerScreen, type PlayerState } from './player.ts';

export interface UsePlayerOptions {
  readonly host: Readonly<Ref<HTMLElement | null>>;
  readonly segments: () => readonly RecordingSegment[];
  readonly load: (id: number) => Promise<Segment>;
}

const idle: PlayerState = {
  atMs: 0,
  totalMs: 0,
  isPlaying: false,
  isLoading: true,
  speed: 1,
  skipsIdle: true,
  wallMs: 0,
};

/** A player with a screen of its own: nothing typed into it goes anywhere, nothing shown in it acts. */
export const usePlayer = ({ host, segments, load }: UsePlayerOptions) => {
  const ui = useUiStore();
  const { settings } = useTerminalSettings();
  const state = shallowRef(idle);
  const error = shallowRef<unknown>(null);
  const size = shallowRef<{ columns: number; rows: number } | null>(null);
  const player = shallowRef<Player | null>(null);
  const isReady = ref(false);
  const encoder = new TextEncoder();

  const fit = (): void => view.screen.value?.scaleTo(size.value);
  const view = useScreen({
    host,
    theme: () => ui.theme,
    settings,
    hooks: {
      onInput: () => undefined,
      interceptKey: () => true,
      onParsed: () => undefined,
      onSelection: () => undefined,
      onClipboardWrite: () => Promise.resolve(),
      onLink: (address) => window.open(address, '_blank', 'noopener,noreferrer'),
      onLinkHover: () => undefined,
    },
    onReady: () => {
      isReady.value = true;
    },
    onLayout: fit,
  });
  const shown = (): Promise<void> =>
    new Promise((resolve) => {
      const { value } = view.screen;
      if (value === null) resolve();
      else value.write(new Uint8Array(0), resolve);
    });
  const screen: PlayerScreen = {
    reset: (next) => {
      view.screen.value?.reset(next);
      size.value = next;
    },
    write: (text) => view.screen.value?.write(encoder.encode(text), () => undefined),
    resize: (next) => {
      view.screen.value?.resize(next);
      size.value = next;
    },
    whenShown: shown,
  };
  watch(size, fit);

  watch([isReady, segments], ([ready, listed]) => {
    if (!ready) return;
    player.value?.close();
    error.value = null;
    player.value = new Player({
      segments: listed,
      load,
      screen,
      onChange: (next) => {
        state.value = next;
      },
      onError: (cause) => {
        error.value = cause;
      },
    });
    player.value.seek(0);
  });
  useRafFn(({ delta }) => player.value?.tick(delta));
  onScopeDispose(() => player.value?.close());

  return {
    state,
    error,
    size,
    loadError: view.loadError,
    reloadScreen: view.load,
    timeline: computed(() => (state.value.totalMs >= 0 ? (player.value?.timeline ?? null) : null)),
    readScreen: () => view.screen.value?.text ?? '',
    toggle: () => (state.value.isPlaying ? player.value?.pause() : player.value?.play()),
    play: () => player.value?.play(),
    seek: (barMs: number) => player.value?.seek(barMs),
    setSpeed: (speed: number) => player.value?.setSpeed(speed),
    setSkipsIdle: (skipsIdle: boolean) => player.value?.setSkipsIdle(skipsIdle),
  };
};
