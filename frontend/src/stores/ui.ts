import { useLocalStorage, useMediaQuery } from '@vueuse/core';
import { defineStore } from 'pinia';
import { computed, ref, watchEffect } from 'vue';
import type { ThemeName } from '../theme.ts';

export const themeChoices = ['dark', 'light', 'system'] as const;
export type ThemeChoice = (typeof themeChoices)[number];

/** What belongs to this browser and not to the account. */
export const useUiStore = defineStore('ui', () => {
  const themeChoice = useLocalStorage<ThemeChoice>('sac.theme', 'dark');
  const prefersLight = useMediaQuery('(prefers-color-scheme: light)');
  const theme = computed<ThemeName>(() =>
    themeChoice.value === 'system'
      ? prefersLight.value
        ? 'light'
        : 'dark'
      : themeChoice.value === 'light'
        ? 'light'
        : 'dark',
  );
  watchEffect(() => {
    document.documentElement.dataset['theme'] = theme.value;
  });

  const railCollapsedByChoice = useLocalStorage('sac.rail-collapsed', false);
  const narrow = useMediaQuery('(max-width: 1099.98px)');
  const phone = useMediaQuery('(max-width: 719.98px)');
  /** Below 1100 the rail opens only for the moment: the choice for wide windows is kept. */
  const railOpenedWhileNarrow = ref(false);
  const railCollapsed = computed({
    get: () => (narrow.value ? !railOpenedWhileNarrow.value : railCollapsedByChoice.value),
    set: (collapsed: boolean) => {
      if (narrow.value) railOpenedWhileNarrow.value = !collapsed;
      else railCollapsedByChoice.value = collapsed;
    },
  });

  const paletteOpen = ref(false);
  const shortcutsOpen = ref(false);
  const lastAgentId = useLocalStorage<string | null>('sac.last-agent', null, {
    serializer: { read: (text) => text || null, write: (value) => value ?? '' },
  });

  return { themeChoice, theme, railCollapsed, phone, narrow, paletteOpen, shortcutsOpen, lastAgentId };
});
