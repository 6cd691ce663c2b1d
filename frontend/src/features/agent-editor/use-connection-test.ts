import type { ConnectionTest } from '@sac/contracts';
import { computed, onScopeDispose, ref, shallowRef, type ComputedRef, type Ref, type ShallowRef } from 'vue';
import { api } from '../../api/client.ts';
import { isAbort } from '../../lib/errors.ts';
import type { EditorContext } from './editor-context.ts';
import { providerBody } from './form-model.ts';

export interface ConnectionTester {
  readonly testing: Ref<boolean>;
  readonly startedAtMs: Ref<number>;
  readonly result: ShallowRef<ConnectionTest | null>;
  readonly error: ShallowRef<unknown>;
  /** The fields are no longer what was tested. */
  readonly outdated: ComputedRef<boolean>;
  readonly run: () => Promise<void>;
  readonly cancel: () => void;
}

/** Longer than the server waits for a provider that hangs. */
const TIMEOUT_MS = 60_000;

/** Asks the provider with what stands in the form; the stored token is used while none is typed. */
export const useConnectionTest = ({ form, agent }: EditorContext): ConnectionTester => {
  const testing = ref(false);
  const startedAtMs = ref(0);
  const result = shallowRef<ConnectionTest | null>(null);
  const error = shallowRef<unknown>(null);
  const tested = ref('');
  let controller: AbortController | null = null;

  const input = () => {
    const provider = providerBody(form);
    const token = form.providerToken.trim();
    const text = (value: string): string | null => value.trim() || null;
    const { httpProxy, httpsProxy, noProxy } = form.proxy;
    return {
      provider,
      token,
      removed: form.removeToken,
      proxy: { httpProxy: text(httpProxy), httpsProxy: text(httpsProxy), noProxy: text(noProxy) },
    };
  };
  const fingerprint = computed(() => JSON.stringify([form.cli, input()]));

  const run = async (): Promise<void> => {
    const { provider, token, proxy, removed } = input();
    if (!provider) return;
    controller?.abort();
    const mine = (controller = new AbortController());
    testing.value = true;
    startedAtMs.value = Date.now();
    result.value = null;
    error.value = null;
    tested.value = fingerprint.value;
    const stored = agent?.hasProviderToken && !removed ? { agentId: agent.id } : {};
    try {
      const body = { cli: form.cli, provider, proxy, ...stored, ...(token ? { providerToken: token } : {}) };
      result.value = await api.call('testConnection', { body }, { signal: mine.signal, timeoutMs: TIMEOUT_MS });
    } catch (cause) {
      if (!isAbort(cause)) error.value = cause;
    } finally {
      if (controller === mine) testing.value = false;
    }
  };
  const cancel = (): void => {
    controller?.abort();
    controller = null;
    testing.value = false;
  };
  onScopeDispose(cancel);
  return {
    testing,
    startedAtMs,
    result,
    error,
    outdated: computed(() => tested.value !== fingerprint.value),
    run,
    cancel,
  };
};
