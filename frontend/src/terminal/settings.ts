import { useLocalStorage } from '@vueuse/core';
import { computed } from 'vue';

export const fontSizes = { smallest: 10, largest: 24, usual: 13 } as const;
export const scrollbackChoices = [1_000, 5_000, 20_000] as const;

/** How terminals look and behave in this browser. */
export interface TerminalSettings {
  readonly fontSize: number;
  readonly scrollbackLines: number;
  /** `auto`: WebGL where it works. */
  readonly renderer: 'auto' | 'dom';
  /** Ctrl+C copies when something is selected, else it interrupts. */
  readonly copyWithCtrlC: boolean;
  /** Keeps the lines on screen as text for screen readers (and everything else that reads the page). */
  readonly screenReader: boolean;
}

export const defaultTerminalSettings: TerminalSettings = {
  fontSize: fontSizes.usual,
  scrollbackLines: 5_000,
  renderer: 'auto',
  copyWithCtrlC: true,
  screenReader: false,
};

/** Whatever storage holds (an older version, another hand), the result is usable. */
export const soundSettings = (stored: unknown): TerminalSettings => {
  const given =
    typeof stored === 'object' && stored !== null ? (stored as Partial<Record<keyof TerminalSettings, unknown>>) : {};
  const { fontSize, scrollbackLines, renderer, copyWithCtrlC, screenReader } = given;
  const usual = defaultTerminalSettings;
  return {
    fontSize:
      typeof fontSize === 'number' && fontSize >= fontSizes.smallest && fontSize <= fontSizes.largest
        ? Math.round(fontSize)
        : usual.fontSize,
    scrollbackLines: scrollbackChoices.find((choice) => choice === scrollbackLines) ?? usual.scrollbackLines,
    renderer: renderer === 'dom' ? 'dom' : usual.renderer,
    copyWithCtrlC: typeof copyWithCtrlC === 'boolean' ? copyWithCtrlC : usual.copyWithCtrlC,
    screenReader: typeof screenReader === 'boolean' ? screenReader : usual.screenReader,
  };
};

export const useTerminalSettings = () => {
  const stored = useLocalStorage<unknown>('sac.terminal', defaultTerminalSettings, {
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
  const settings = computed(() => soundSettings(stored.value));
  const change = (part: Partial<TerminalSettings>): void => {
    stored.value = { ...settings.value, ...part };
  };
  return { settings, change };
};
