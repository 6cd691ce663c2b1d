import type { SignedIn } from '@sac/contracts';
import { computed, ref, shallowRef } from 'vue';
import { useI18n } from 'vue-i18n';
import { ApiError } from '../../api/api-error.ts';
import { useAccountStore } from '../../stores/account.ts';
import { accountBody, accountProblems, type AccountDraft, type AccountProblems } from './account-form.ts';

/** State of a form that creates an account and signs in with it. What was typed survives every error. */
export const useAccountForm = (create: (body: ReturnType<typeof accountBody>) => Promise<SignedIn>) => {
  const { t } = useI18n();
  const account = useAccountStore();
  const draft = ref<AccountDraft>({ username: '', displayName: '', email: '', password: '' });
  const tried = ref(false);
  const busy = ref(false);
  const error = shallowRef<unknown>(null);
  const taken = ref<{ username: string; message: string } | null>(null);

  const problems = computed<AccountProblems>(() => {
    if (!tried.value) return {};
    const found = accountProblems(draft.value, t);
    return taken.value?.username === draft.value.username ? { ...found, username: taken.value.message } : found;
  });

  const onError = (cause: unknown): void => {
    // A taken e-mail is named in `details.fields`; without it the user name is meant.
    if (cause instanceof ApiError && cause.code === 'name_taken' && cause.fieldProblem('email') === undefined) {
      taken.value = { username: draft.value.username, message: cause.message };
    } else error.value = cause;
  };

  /** True when the account exists and is signed in. */
  const submit = async (): Promise<boolean> => {
    tried.value = true;
    if (busy.value || Object.keys(problems.value).length > 0) return false;
    busy.value = true;
    error.value = null;
    try {
      account.accept(await create(accountBody(draft.value)));
      return true;
    } catch (cause) {
      onError(cause);
      return false;
    } finally {
      busy.value = false;
    }
  };
  return { draft, problems, busy, error, submit };
};
