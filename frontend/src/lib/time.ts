import { useIntervalFn, createSharedComposable } from '@vueuse/core';
import { ref } from 'vue';

const second = 1_000;
const minute = 60 * second;
const hour = 60 * minute;
const day = 24 * hour;

/** A clock for "3 min ago" texts: one timer for the whole page, ticking each second. */
export const useNow = createSharedComposable(() => {
  const now = ref(Date.now());
  useIntervalFn(() => {
    now.value = Date.now();
  }, second);
  return now;
});

type Translate = (key: string, values: Record<string, number>) => string;

/** "40 s", "3 min", "2 h", "4 d": the biggest unit only. */
export const shortDuration = (durationMs: number, t: Translate): string => {
  const ms = Math.max(0, durationMs);
  if (ms < minute) return t('time.seconds', { n: Math.floor(ms / second) });
  if (ms < hour) return t('time.minutes', { n: Math.floor(ms / minute) });
  if (ms < day) return t('time.hours', { n: Math.floor(ms / hour) });
  return t('time.days', { n: Math.floor(ms / day) });
};

/** "3 min 12 s": two units below an hour, else as `shortDuration`. */
export const exactDuration = (durationMs: number, t: Translate): string => {
  const ms = Math.max(0, durationMs);
  if (ms < minute || ms >= hour) return shortDuration(ms, t);
  const seconds = Math.floor((ms % minute) / second);
  const minutes = t('time.minutes', { n: Math.floor(ms / minute) });
  return seconds === 0 ? minutes : `${minutes} ${t('time.seconds', { n: seconds })}`;
};

/** "now", "6 min ago", "3 h ago", "yesterday", "4 days ago", then the date. */
export const relativeTime = (iso: string, nowMs: number, t: Translate, locale: string): string => {
  const ageMs = nowMs - Date.parse(iso);
  if (ageMs < minute) return t('time.now', {});
  if (ageMs < hour) return t('time.minutesAgo', { n: Math.floor(ageMs / minute) });
  if (ageMs < day) return t('time.hoursAgo', { n: Math.floor(ageMs / hour) });
  if (ageMs < 2 * day) return t('time.yesterday', {});
  if (ageMs < 30 * day) return t('time.daysAgo', { n: Math.floor(ageMs / day) });
  return new Intl.DateTimeFormat(locale, { dateStyle: 'medium' }).format(new Date(iso));
};

/** Date and time to the second, for tooltips. */
export const exactTime = (iso: string, locale: string): string =>
  new Intl.DateTimeFormat(locale, { dateStyle: 'medium', timeStyle: 'medium' }).format(new Date(iso));
