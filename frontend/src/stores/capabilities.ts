import type { Capabilities } from '@sac/contracts';
import { defineStore } from 'pinia';
import { ref, shallowRef } from 'vue';
import type { ApiError } from '../api/api-error.ts';
import { api } from '../api/client.ts';

/** CLIs, provider presets and isolation of this installation. Loaded once, and again after an upgrade of the server. */
export const useCapabilitiesStore = defineStore('capabilities', () => {
  const capabilities = shallowRef<Capabilities | null>(null);
  const error = shallowRef<ApiError | null>(null);
  const loading = ref(false);
  let inFlight: Promise<void> | null = null;

  const fetchAll = async (): Promise<void> => {
    loading.value = true;
    try {
      capabilities.value = await api.call('getCapabilities');
      error.value = null;
    } catch (cause) {
      error.value = cause as ApiError;
    } finally {
      loading.value = false;
      inFlight = null;
    }
  };
  /** Never rejects; the outcome is in `capabilities` and `error`. */
  const load = (): Promise<void> => (inFlight ??= fetchAll());
  const ensure = (): Promise<void> => (capabilities.value ? Promise.resolve() : load());
  const reset = (): void => {
    capabilities.value = null;
    error.value = null;
  };

  return { capabilities, error, loading, load, ensure, reset };
});
