import { cliNames, podValueNames } from '@sac/contracts';
import { environmentRow, podForm, type EditorForm } from './form-model.ts';

/** Longest draft that is kept, in characters; more would crowd everything else out of the browser's storage. */
const MAX_DRAFT_CHARACTERS = 200_000;

export interface Draft {
  readonly form: EditorForm;
  /** ISO time of the last change. */
  readonly savedAt: string;
  /** `updatedAt` of the agent the draft was made from; null for a new agent. */
  readonly basedOn: string | null;
}

/** Where an account's unsaved agent lies: `agentId` is null for a new one. */
export const draftKey = (userId: string, agentId: string | null): string =>
  `sac.draft.agent.${userId}.${agentId ?? 'new'}`;

/** Keeps the draft without the token. Full or forbidden storage loses only the draft, never the page. */
export const saveDraft = (storage: Storage, key: string, draft: Draft): boolean => {
  const text = JSON.stringify({ ...draft, form: { ...draft.form, providerToken: '', removeToken: false } });
  if (text.length > MAX_DRAFT_CHARACTERS) return false;
  try {
    storage.setItem(key, text);
    return true;
  } catch {
    return false;
  }
};

const isText = (value: unknown): value is string => typeof value === 'string';
const allText = (value: unknown, names: readonly string[]): boolean =>
  typeof value === 'object' &&
  value !== null &&
  names.every((name) => isText((value as Record<string, unknown>)[name]));

/** A draft of another version of the page is worth nothing when its shape does not fit. */
const isForm = (value: unknown): value is EditorForm => {
  if (!allText(value, ['name', 'icon', 'description', 'instructions', 'cli', 'permissionMode'])) return false;
  const form = value as EditorForm;
  return (
    cliNames.includes(form.cli) &&
    allText(form.provider, ['preset', 'baseUrl', 'main', 'strong', 'small']) &&
    allText(form.proxy, ['httpProxy', 'httpsProxy', 'noProxy']) &&
    Array.isArray(form.environment) &&
    form.environment.every((row) => allText(row, ['name', 'value']))
  );
};

/** Drafts of earlier versions know nothing of pods, sleep and recording. */
const withPod = (
  form: Partial<EditorForm> & Omit<EditorForm, 'pod' | 'idleMinutes' | 'recordingMegabytes'>,
): EditorForm => ({
  ...form,
  pod: allText(form.pod, podValueNames) ? (form.pod as EditorForm['pod']) : podForm(null),
  idleMinutes: isText(form.idleMinutes) ? form.idleMinutes : '',
  recordingMegabytes: isText(form.recordingMegabytes) ? form.recordingMegabytes : '',
});

export const loadDraft = (storage: Storage, key: string): Draft | null => {
  try {
    const draft = JSON.parse(storage.getItem(key) ?? 'null') as Draft | null;
    if (!draft || !isForm(draft.form) || !isText(draft.savedAt)) return null;
    const environment = draft.form.environment.map(({ name, value }) => environmentRow(name, value));
    return { ...draft, form: { ...withPod(draft.form), environment, providerToken: '', removeToken: false } };
  } catch {
    return null;
  }
};

export const dropDraft = (storage: Storage, key: string): void => {
  try {
    storage.removeItem(key);
  } catch {
    // Storage is forbidden: then there was no draft either.
  }
};
