import { useLocalStorage } from '@vueuse/core';
import { nextTick, watch } from 'vue';
import { createI18n } from 'vue-i18n';
import en from './en.ts';

export const localeNames = { en: 'English', zh: '中文' } as const;
export type LocaleName = keyof typeof localeNames;

const isLocaleName = (value: string): value is LocaleName => Object.hasOwn(localeNames, value);
const ofBrowser = (): LocaleName => (navigator.language.toLowerCase().startsWith('zh') ? 'zh' : 'en');

export const chosenLocale = useLocalStorage<string>('sac.locale', ofBrowser());

export const i18n = createI18n({
  legacy: false,
  locale: 'en',
  fallbackLocale: 'en',
  messages: { en } as Record<string, typeof en>,
  missingWarn: import.meta.env.DEV,
  fallbackWarn: false,
});

const apply = async (choice: string): Promise<void> => {
  const locale = isLocaleName(choice) ? choice : 'en';
  if (locale === 'zh' && !i18n.global.availableLocales.includes('zh')) {
    i18n.global.setLocaleMessage('zh', (await import('./zh.ts')).default);
  }
  i18n.global.locale.value = locale;
  document.documentElement.lang = locale === 'zh' ? 'zh-CN' : 'en';
  await nextTick();
};

/** Resolves when the strings of the chosen language are there; follows the choice from then on. */
export const startLocale = async (): Promise<void> => {
  await apply(chosenLocale.value).catch(() => undefined);
  watch(chosenLocale, (choice) => void apply(choice).catch(() => undefined));
};
