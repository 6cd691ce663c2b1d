import type { ResponseOf, Routes } from '@sac/contracts';
import { onScopeDispose, ref, shallowRef, watch } from 'vue';
import { api } from '../../api/client.ts';
import { ApiError } from '../../api/api-error.ts';
import { isAbort } from '../../lib/errors.ts';
import { linkSecret } from './link-secret.ts';

type LinkInfo = ResponseOf<Routes['checkLink']>;

/** Checks the secret of the opened link without using it. `bad`: used, expired, withdrawn or mistyped. */
export const useLinkCheck = (kind: 'admin' | 'invite') => {
  const info = shallowRef<LinkInfo | null>(null);
  const bad = ref(false);
  const error = shallowRef<unknown>(null);
  let current: AbortController | null = null;

  const check = async (): Promise<void> => {
    current?.abort();
    current = new AbortController();
    info.value = null;
    bad.value = false;
    error.value = null;
    if (linkSecret.value === null) return;
    try {
      info.value = await api.call(
        'checkLink',
        { body: { kind, secret: linkSecret.value } },
        { signal: current.signal },
      );
    } catch (cause) {
      // A secret of the wrong shape is refused as a bad request; for a person it is a link that does not work.
      if (cause instanceof ApiError && (cause.code === 'link_invalid' || cause.code === 'invalid_request'))
        bad.value = true;
      else if (!isAbort(cause)) error.value = cause;
    }
  };
  watch(linkSecret, () => void check(), { immediate: true });
  onScopeDispose(() => current?.abort());
  return { info, bad, error, check };
};
