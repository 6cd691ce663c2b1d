import { PASSWORD_MAX_BYTES, PASSWORD_MIN_CHARACTERS } from '@sac/contracts';

type Translate = (key: string, values?: Record<string, unknown>) => string;

/** Fields of a new account, as typed. */
export interface AccountDraft {
  username: string;
  displayName: string;
  email: string;
  password: string;
}

export type AccountField = keyof AccountDraft;
export type AccountProblems = Partial<Record<AccountField, string>>;

const usernamePattern = /^[A-Za-z0-9][A-Za-z0-9._-]*$/;
const emailPattern = /^[^\s@]+@[^\s@]+$/;

export const byteLength = (text: string): number => new TextEncoder().encode(text).length;

/** What is wrong with a new password; null when it is fine. */
export const passwordProblem = (password: string, t: Translate): string | null => {
  if (password.length < PASSWORD_MIN_CHARACTERS) return t('auth.passwordShort', { min: PASSWORD_MIN_CHARACTERS });
  if (byteLength(password) > PASSWORD_MAX_BYTES) return t('auth.passwordLong', { max: PASSWORD_MAX_BYTES });
  return null;
};

const usernameProblem = (username: string, t: Translate): string | null => {
  if (username.length < 2 || username.length > 32) return t('auth.usernameLength');
  return usernamePattern.test(username) ? null : t('auth.usernameCharacters');
};

export const emailProblem = (email: string, t: Translate): string | null =>
  email === '' || (email.length <= 254 && emailPattern.test(email)) ? null : t('auth.emailWrong');

/** The server says the last word; this only saves a round trip. */
export const accountProblems = (draft: AccountDraft, t: Translate): AccountProblems => {
  const found: Record<AccountField, string | null> = {
    username: usernameProblem(draft.username, t),
    displayName: draft.displayName.trim().length > 80 ? t('auth.displayNameLong') : null,
    email: emailProblem(draft.email.trim(), t),
    password: passwordProblem(draft.password, t),
  };
  return Object.fromEntries(Object.entries(found).filter(([, problem]) => problem !== null)) as AccountProblems;
};

/** Body of a call that creates an account: the name shown defaults to the user name, an empty e-mail is left out. */
export const accountBody = (draft: AccountDraft) => ({
  username: draft.username,
  displayName: draft.displayName.trim() || draft.username,
  password: draft.password,
  ...(draft.email.trim() ? { email: draft.email.trim() } : {}),
});

/** 0 too short, 1 weak … 4 very strong: length first, then variety, because length is what helps. */
export const passwordStrength = (password: string): 0 | 1 | 2 | 3 | 4 => {
  if (password.length < PASSWORD_MIN_CHARACTERS) return 0;
  const kinds = [/\p{Ll}/u, /\p{Lu}/u, /\d/, /[^\p{L}\d]/u].filter((kind) => kind.test(password)).length;
  const distinct = new Set(password).size;
  if (distinct < 5) return 1;
  const points =
    (password.length >= 12 ? 1 : 0) +
    (password.length >= 16 ? 1 : 0) +
    (password.length >= 20 ? 1 : 0) +
    (kinds >= 3 ? 1 : 0);
  return Math.min(4, 1 + points) as 1 | 2 | 3 | 4;
};
