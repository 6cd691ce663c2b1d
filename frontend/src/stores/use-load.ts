import { ref, shallowRef } from 'vue';
import type { ApiError } from '../api/api-error.ts';

/** Something of the account that is fetched whole, one request at a time. */
export const useLoad = <T>(fetch: () => Promise<T>, take: (answer: T) => void) => {
  const loading = ref(false);
  const error = shallowRef<ApiError | null>(null);
  let inFlight: Promise<void> | null = null;

  const run = async (isCurrent: () => boolean): Promise<void> => {
    loading.value = true;
    let failure: ApiError | null = null;
    try {
      const answer = await fetch();
      if (isCurrent()) take(answer);
    } catch (cause) {
      failure = cause as ApiError;
    }
    if (!isCurrent()) return;
    error.value = failure;
    loading.value = false;
    inFlight = null;
  };
  /** Never rejects; the outcome is in `error` and wherever the answer was taken to. */
  const load = (): Promise<void> => {
    if (inFlight) return inFlight;
    const mine: Promise<void> = run(() => inFlight === mine);
    inFlight = mine;
    return mine;
  };
  /** An answer that still comes belongs to somebody who has left. */
  const forget = (): void => {
    inFlight = null;
    loading.value = false;
    error.value = null;
  };
  return { loading, error, load, forget };
};
