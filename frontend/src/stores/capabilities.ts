import type { Capabilities } from '@sac/contracts';
import { defineStore } from 'pinia';
import { shallowRef } from 'vue';
import { api } from '../api/client.ts';
import { useLoad } from './use-load.ts';

/** CLIs, provider presets and isolation of this installation. Loaded once, and again after an upgrade of the server. */
export const useCapabilitiesStore = defineStore('capabilities', () => {
  const capabilities = shallowRef<Capabilities | null>(null);
  const { loading, error, load, forget } = useLoad(
    () => api.call('getCapabilities'),
    (answer) => {
      capabilities.value = answer;
    },
  );
  const ensure = (): Promise<void> => (capabilities.value ? Promise.resolve() : load());
  const reset = (): void => {
    capabilities.value = null;
    forget();
  };

  return { capabilities, error, loading, load, ensure, reset };
});
