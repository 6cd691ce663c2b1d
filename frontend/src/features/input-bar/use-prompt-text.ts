import { useEventListener } from '@vueuse/core';
import { onScopeDispose, ref, watch, type Ref } from 'vue';
import { readStored, writeStored } from './stored.ts';

const SAVE_DELAY_MS = 300;
/** A longer text is not kept over a reload; it could not be sent either. */
const MAX_KEPT_CHARACTERS = 200_000;

/** The text under way for one agent, kept on this device until it is sent. */
export const usePromptText = (storage: Storage, key: string): Ref<string> => {
  const stored = readStored(storage, key);
  const text = ref(typeof stored === 'string' ? stored : '');
  let timer: ReturnType<typeof setTimeout> | undefined;
  const save = (): void => {
    clearTimeout(timer);
    timer = undefined;
    if (text.value.length <= MAX_KEPT_CHARACTERS) writeStored(storage, key, text.value === '' ? null : text.value);
  };
  watch(text, () => {
    clearTimeout(timer);
    timer = setTimeout(save, SAVE_DELAY_MS);
  });
  const flush = (): void => {
    if (timer !== undefined) save();
  };
  useEventListener(window, 'pagehide', flush);
  onScopeDispose(flush);
  return text;
};
