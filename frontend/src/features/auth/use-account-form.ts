import type { SignedIn } from '@sac/contracts';
import { computed, ref } from 'vue';
import { useI18n } from 'vue-i18n';
import { ApiError } from '../../api/api-error.ts';
import { describeError } from '../../lib/errors.ts';
import { useSubmit } from '../../lib/use-submit.ts';
import { useAccountStore } from '../../stores/account.ts';
import { accountBody, accountProblems, type AccountDraft, type AccountProblems } from './account-form.ts';

/** State of a form that creates an account with the secret of a link (or none) and signs in with it. */
export const useAccountForm = (create: (body: ReturnType<typeof accountBody>) => Promise<SignedIn>) => {
  const { t } = useI18n();
  const account = useAccountStore();
  const draft = ref<AccountDraft>({ username: '', displayName: '', email: '', password: '' });
  const { tried, busy, error, submit: run } = useSubmit();
  const taken = ref<{ username: string; message: string } | null>(null);

  const problems = computed<AccountProblems>(() => {
    if (!tried.value) return {};
    const found = accountProblems(draft.value, t);
    return taken.value?.username === draft.value.username ? { ...found, username: taken.value.message } : found;
  });
  const linkInvalid = computed(() => error.value instanceof ApiError && error.value.code === 'link_invalid');

  /** True when the account exists and is signed in. */
  const submit = async (): Promise<boolean> => {
    const created = await run(
      () => Object.keys(problems.value).length === 0,
      async () => {
        account.accept(await create(accountBody(draft.value)));
      },
    );
    const cause = error.value;
    // A taken e-mail is named in `details.fields`; without it the user name is meant.
    if (cause instanceof ApiError && cause.code === 'name_taken' && cause.fieldProblem('email') === undefined) {
      taken.value = { username: draft.value.username, message: describeError(cause, t).message };
      error.value = null;
    }
    return created;
  };
  return { draft, problems, busy, error, linkInvalid, submit };
};
