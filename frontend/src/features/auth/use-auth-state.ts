import type { ResponseOf, Routes } from '@sac/contracts';
import { shallowRef } from 'vue';
import { api } from '../../api/client.ts';

export type AuthState = ResponseOf<Routes['getAuthState']>;

/** What pages must know before anyone is signed in. */
export const useAuthState = () => {
  const state = shallowRef<AuthState | null>(null);
  const error = shallowRef<unknown>(null);
  const load = async (): Promise<void> => {
    try {
      state.value = await api.call('getAuthState');
      error.value = null;
    } catch (cause) {
      error.value = cause;
    }
  };
  void load();
  return { state, error, load };
};
