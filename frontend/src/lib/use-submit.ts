import { ref, shallowRef } from 'vue';

/**
 * State of anything that is sent with a button: `tried` lets a form show what is missing, `busy` guards against the second
 * click, `error` says why it failed. What was typed survives every error.
 */
export const useSubmit = () => {
  const tried = ref(false);
  const busy = ref(false);
  const error = shallowRef<unknown>(null);

  /** True when `send` went through; false when `ready` said no, it failed, or another one is under way. */
  const submit = async (ready: () => boolean, send: () => Promise<void>): Promise<boolean> => {
    if (busy.value) return false;
    tried.value = true;
    error.value = null;
    if (!ready()) return false;
    busy.value = true;
    try {
      await send();
      tried.value = false;
      return true;
    } catch (cause) {
      error.value = cause;
      return false;
    } finally {
      busy.value = false;
    }
  };
  return { tried, busy, error, submit };
};
