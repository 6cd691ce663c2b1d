import { useDebounceFn, useMediaQuery, useResizeObserver } from '@vueuse/core';
import { onScopeDispose, ref, shallowRef, toValue, watch, type MaybeRefOrGetter, type Ref } from 'vue';
import { monospaceFont, terminalTheme, type ThemeName } from '../theme.ts';
import type { Screen, ScreenHooks } from './screen.ts';
import type { TerminalSettings } from './settings.ts';

const RESIZE_SETTLES_MS = 60;
const FONT_WAIT_MS = 2_000;

export interface UseScreenOptions {
  readonly host: Readonly<Ref<HTMLElement | null>>;
  readonly theme: MaybeRefOrGetter<ThemeName>;
  readonly settings: Readonly<Ref<TerminalSettings>>;
  readonly hooks: ScreenHooks;
  /** The screen is there and measured. */
  readonly onReady: () => void;
  /** Box, font or renderer changed: what fits may be another size. */
  readonly onLayout: () => void;
}

/** One character for each file of the bundled fonts: a glyph that was drawn with another font stays on the screen. */
const FONT_SAMPLE = 'W─⏵';

/** Cells may only be measured with the real font; when it does not come, the next best one has to do. */
const fontReady = async (fontSize: number): Promise<void> => {
  const loading = Promise.all(
    [400, 700].map((weight) => document.fonts.load(`${weight} ${fontSize}px ${monospaceFont}`, FONT_SAMPLE)),
  );
  const patience = new Promise((resolve) => setTimeout(resolve, FONT_WAIT_MS));
  await Promise.race([loading, patience]).catch(() => undefined);
};

/** Loads xterm.js when it is needed, keeps it in step with theme, settings and box, and ends it with the scope. */
export const useScreen = (options: UseScreenOptions) => {
  const { host, settings, hooks } = options;
  const screen = shallowRef<Screen | null>(null);
  const loadError = ref(false);
  const reducedMotion = useMediaQuery('(prefers-reduced-motion: reduce)');
  let disposed = false;

  const create = async (element: HTMLElement): Promise<void> => {
    const [{ Screen: ScreenClass }] = await Promise.all([import('./screen.ts'), fontReady(settings.value.fontSize)]);
    if (disposed || screen.value) return;
    screen.value = new ScreenClass({
      host: element,
      settings: settings.value,
      theme: terminalTheme(toValue(options.theme)),
      fontFamily: monospaceFont,
      cursorBlink: !reducedMotion.value,
      hooks,
    });
    options.onReady();
  };
  /** Also the "try again" after the code could not be fetched. */
  const load = (): void => {
    loadError.value = false;
    if (!host.value || screen.value) return;
    create(host.value).catch(() => {
      loadError.value = true;
    });
  };
  watch(host, load, { immediate: true, flush: 'post' });

  const layout = (): void => {
    if (!disposed && screen.value) options.onLayout();
  };
  const settle = useDebounceFn(layout, RESIZE_SETTLES_MS);
  useResizeObserver(host, () => {
    settle().catch(() => undefined);
  });
  watch(
    () => toValue(options.theme),
    (theme) => screen.value?.setTheme(terminalTheme(theme)),
  );
  watch(settings, (next) => {
    screen.value?.applySettings(next);
    layout();
  });

  onScopeDispose(() => {
    disposed = true;
    screen.value?.dispose();
    screen.value = null;
  });
  return { screen, loadError, load };
};
