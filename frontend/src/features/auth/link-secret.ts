import { ref } from 'vue';

const remembered = (): string | null => {
  const state: unknown = history.state;
  return typeof state === 'object' && state !== null && 'secret' in state && typeof state.secret === 'string'
    ? state.secret
    : null;
};

/** Secret of the first-admin or invite link this page was opened with. */
export const linkSecret = ref<string | null>(remembered());

/** Forgets a used secret, in memory and in the history entry. */
export const forgetLinkSecret = (): void => {
  linkSecret.value = null;
  const state = history.state as Record<string, unknown> | null;
  if (state && 'secret' in state) history.replaceState({ ...state, secret: undefined }, '');
};
