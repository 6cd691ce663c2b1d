import { useLocalStorage, useMediaQuery } from '@vueuse/core';
import { computed } from 'vue';

export const fontSizes = { smallest: 10, largest: 24, usual: 13, phone: 12 } as const;
export const scrollbackChoices = [1_000, 5_000, 20_000] as const;

export const renderers = ['auto', 'webgl', 'dom'] as const;
export type Renderer = (typeof renderers)[number];

/** How terminals look and behave in this browser. */
export interface TerminalSettings {
  readonly fontSize: number;
  readonly scrollbackLines: number;
  /** `auto`: WebGL where it works; `webgl`: tried again also after the browser took it away. */
  readonly renderer: Renderer;
  /** Ctrl+C copies when something is selected, else it interrupts. */
  readonly copyWithCtrlC: boolean;
  /** Ctrl+V pastes, else it goes to the program. */
  readonly pasteWithCtrlV: boolean;
  /** Keeps the lines on screen as text for screen readers (and everything else that reads the page). */
  readonly screenReader: boolean;
}

export const defaultTerminalSettings: TerminalSettings = {
  fontSize: fontSizes.usual,
  scrollbackLines: 5_000,
  renderer: 'auto',
  copyWithCtrlC: true,
  pasteWithCtrlV: true,
  screenReader: false,
};

/** Whatever storage holds (an older version, another hand), the result is usable. */
export const soundSettings = (stored: unknown, usual: TerminalSettings = defaultTerminalSettings): TerminalSettings => {
  const given =
    typeof stored === 'object' && stored !== null ? (stored as Partial<Record<keyof TerminalSettings, unknown>>) : {};
  const { fontSize, scrollbackLines, renderer, copyWithCtrlC, pasteWithCtrlV, screenReader } = given;
  return {
    fontSize:
      typeof fontSize === 'number' && fontSize >= fontSizes.smallest && fontSize <= fontSizes.largest
        ? Math.round(fontSize)
        : usual.fontSize,
    scrollbackLines: scrollbackChoices.find((choice) => choice === scrollbackLines) ?? usual.scrollbackLines,
    renderer: renderers.find((known) => known === renderer) ?? usual.renderer,
    copyWithCtrlC: typeof copyWithCtrlC === 'boolean' ? copyWithCtrlC : usual.copyWithCtrlC,
    pasteWithCtrlV: typeof pasteWithCtrlV === 'boolean' ? pasteWithCtrlV : usual.pasteWithCtrlV,
    screenReader: typeof screenReader === 'boolean' ? screenReader : usual.screenReader,
  };
};

export const useTerminalSettings = () => {
  const phone = useMediaQuery('(max-width: 719.98px)');
  const stored = useLocalStorage<unknown>('sac.terminal', null, {
    writeDefaults: false,
    serializer: {
      read: (text): unknown => {
        try {
          return JSON.parse(text);
        } catch {
          return null;
        }
      },
      write: (value) => JSON.stringify(value),
    },
  });
  const usual = computed(() => ({
    ...defaultTerminalSettings,
    fontSize: phone.value ? fontSizes.phone : fontSizes.usual,
  }));
  const settings = computed(() => soundSettings(stored.value, usual.value));
  const change = (part: Partial<TerminalSettings>): void => {
    // Only what was chosen is kept, so that the rest can differ between devices and versions.
    stored.value = { ...(stored.value ?? {}), ...part };
  };
  return { settings, change };
};
