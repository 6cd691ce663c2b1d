import type { Agent, Capabilities } from '@sac/contracts';
import { computed, reactive, ref, shallowRef, watch, type ComputedRef, type Ref, type ShallowRef } from 'vue';
import { useI18n } from 'vue-i18n';
import { ApiError } from '../../api/api-error.ts';
import { errorLine } from '../../lib/errors.ts';
import { api } from '../../api/client.ts';
import { draftKey, dropDraft, loadDraft, saveDraft, type Draft } from './draft.ts';
import type { EditorContext } from './editor-context.ts';
import {
  emptyForm,
  formFromAgent,
  isDirty,
  toCreateBody,
  toUpdateBody,
  withCli,
  type EditorForm,
} from './form-model.ts';
import { problemsFromServer, validate, type Problem, type Problems } from './validation.ts';

export interface EditorOptions {
  readonly agent: Agent | null;
  readonly capabilities: Capabilities;
  readonly userId: string;
  readonly storage: Storage;
  /** Values a link asks for, such as `?cli=shell`; used when there is no draft. */
  readonly start?: Partial<Pick<EditorForm, 'cli'>>;
}

/** Why nothing was saved, beside the problems at the fields. */
export interface SubmitFailure {
  readonly message: string;
  readonly details: readonly string[];
  readonly requestId: string;
  /** The message points to fields of the page; nothing more has to be said. */
  readonly atFields: boolean;
}

export interface AgentEditor extends EditorContext {
  readonly failure: ShallowRef<SubmitFailure | null>;
  readonly dirty: ComputedRef<boolean>;
  /** The draft this page started from, until it is discarded. */
  readonly restored: ShallowRef<Draft | null>;
  readonly draftSaved: Ref<boolean>;
  readonly changes: ComputedRef<ReturnType<typeof toUpdateBody>>;
  /** Fields with problems in the order of the page, after the last submit. */
  readonly invalidFields: ComputedRef<readonly string[]>;
  /** The saved agent, or null when something has to be corrected. Never rejects. */
  readonly submit: () => Promise<Agent | null>;
  readonly discard: () => void;
  /** Writes what the pause between key presses has not written yet. */
  readonly flushDraft: () => void;
}

const DRAFT_DELAY_MS = 400;
/** A problem that appears on leaving a field moves what is below; the click that left it must land before. */
const TOUCH_DELAY_MS = 200;

/** Value at a field path such as `environment.2.name`, to notice that the person changed it. */
const valueAt = (form: EditorForm, field: string): string => {
  const path = field.replace('provider.models.', 'provider.').split('.');
  return JSON.stringify(
    path.reduce<unknown>(
      (value, part) => (typeof value === 'object' && value !== null ? Reflect.get(value, part) : undefined),
      form,
    ),
  );
};

const baselineOf = ({ agent, capabilities, start }: EditorOptions): EditorForm => {
  if (agent) return formFromAgent(agent);
  const form = emptyForm(capabilities.presets);
  return start?.cli ? withCli(form, start.cli, capabilities.presets) : form;
};

/** Problems of the server, each until its field is changed. */
const useServerProblems = (form: EditorForm) => {
  const reported = shallowRef<Record<string, { problem: Problem; value: string }>>({});
  const current = computed<Problems>(() =>
    Object.fromEntries(
      Object.entries(reported.value)
        .filter(([field, { value }]) => valueAt(form, field) === value)
        .map(([field, { problem }]) => [field, problem]),
    ),
  );
  const report = (problems: Problems): void => {
    reported.value = Object.fromEntries(
      Object.entries(problems).map(([field, problem]) => [field, { problem, value: valueAt(form, field) }]),
    );
  };
  return { current, report };
};

const useDraft = (options: EditorOptions, form: EditorForm, baseline: EditorForm) => {
  const key = draftKey(options.userId, options.agent?.id ?? null);
  const restored = shallowRef(loadDraft(options.storage, key));
  const draftSaved = ref(restored.value !== null);
  if (restored.value) Object.assign(form, restored.value.form);
  let timer: ReturnType<typeof setTimeout> | undefined;

  const write = (): void => {
    clearTimeout(timer);
    timer = undefined;
    if (!isDirty({ ...form, providerToken: '' }, baseline)) {
      dropDraft(options.storage, key);
      draftSaved.value = false;
      return;
    }
    const basedOn = options.agent?.updatedAt ?? null;
    draftSaved.value = saveDraft(options.storage, key, { form, savedAt: new Date().toISOString(), basedOn });
  };
  const stop = watch(form, () => {
    clearTimeout(timer);
    timer = setTimeout(write, DRAFT_DELAY_MS);
  });
  const flush = (): void => {
    if (timer !== undefined) write();
  };
  /** After saving: no draft any more, and none from late changes. */
  const finish = (): void => {
    stop();
    clearTimeout(timer);
    timer = undefined;
    dropDraft(options.storage, key);
    draftSaved.value = false;
  };
  return { restored, draftSaved, flush, finish, drop: () => dropDraft(options.storage, key) };
};

const saveAgent = (options: EditorOptions, form: EditorForm, baseline: EditorForm): Promise<Agent> =>
  options.agent
    ? api.call('updateAgent', { params: { agentId: options.agent.id }, body: toUpdateBody(form, baseline) })
    : api.call('createAgent', { body: toCreateBody(form) });

/** State of the editor page: form, draft, problems of both sides, saving. */
export const useAgentEditor = (options: EditorOptions): AgentEditor => {
  const { t } = useI18n();
  const baseline = baselineOf(options);
  const form = reactive(structuredClone(baseline));
  const draft = useDraft(options, form, baseline);
  const server = useServerProblems(form);
  const touched = reactive(new Set<string>());
  const submitted = ref(false);
  const busy = ref(false);
  const saved = ref(false);
  const failure = shallowRef<SubmitFailure | null>(null);

  const local = computed(() => validate(form, options.capabilities.pod));
  const sentence = (problem: Problem): string =>
    'text' in problem ? problem.text : t(`editor.${problem.key}`, problem.values ?? {});
  const shown = computed<Problems>(() => ({
    ...server.current.value,
    ...Object.fromEntries(Object.entries(local.value).filter(([field]) => submitted.value || touched.has(field))),
  }));
  const problemOf = (field: string): string | null => {
    const problem = shown.value[field];
    return problem ? sentence(problem) : null;
  };

  const onFailure = (error: unknown): void => {
    if (!(error instanceof ApiError)) throw error;
    const { problems, other } = problemsFromServer(error.fields, form);
    const taken = error.code === 'name_taken' ? { name: { key: 'nameTaken' } } : {};
    server.report({ ...problems, ...taken });
    const atFields = other.length === 0 && (Object.keys(problems).length > 0 || error.code === 'name_taken');
    const message = atFields ? t('editor.problems') : errorLine(error, t);
    failure.value = { message, details: other, requestId: atFields ? '' : error.requestId, atFields };
  };

  const submit = async (): Promise<Agent | null> => {
    if (busy.value) return null;
    submitted.value = true;
    failure.value = null;
    server.report({});
    if (Object.keys(local.value).length > 0) {
      failure.value = { message: t('editor.problems'), details: [], requestId: '', atFields: true };
      return null;
    }
    busy.value = true;
    try {
      const agent = await saveAgent(options, form, baseline);
      saved.value = true;
      draft.finish();
      return agent;
    } catch (error) {
      onFailure(error);
      return null;
    } finally {
      busy.value = false;
    }
  };

  const discard = (): void => {
    Object.assign(form, structuredClone(baseline));
    draft.restored.value = null;
    draft.drop();
    touched.clear();
    submitted.value = false;
    failure.value = null;
  };

  return {
    form,
    agent: options.agent,
    capabilities: options.capabilities,
    busy,
    problemOf,
    hasProblemBelow: (prefix) =>
      Object.keys(shown.value).some((field) => field === prefix || field.startsWith(`${prefix}.`)),
    touch: (field) => void setTimeout(() => touched.add(field), TOUCH_DELAY_MS),
    providerIsValid: computed(() => !Object.keys(local.value).some((field) => /^provider/u.test(field))),
    failure,
    dirty: computed(() => !saved.value && isDirty(form, baseline)),
    restored: draft.restored,
    draftSaved: draft.draftSaved,
    changes: computed(() => toUpdateBody(form, baseline)),
    invalidFields: computed(() => Object.keys(shown.value)),
    submit,
    discard,
    flushDraft: draft.flush,
  };
};
