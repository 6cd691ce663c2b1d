import {
  DISPLAY_TEXT_PATTERN,
  ENV_NAME_PATTERN,
  isReservedEnvName,
  MAX_ENVIRONMENT_VARIABLES,
  cliProtocols,
  type FieldProblem,
  type PodCapabilities,
} from '@sac/contracts';
import { podProblems } from './pod-model.ts';
import { modelSlotsFor, sentEnvironment, type EditorForm } from './form-model.ts';

/** A problem as a key of the locale area `editor` with what it needs to be said, or the server's own sentence. */
export type Problem =
  { readonly key: string; readonly values?: Readonly<Record<string, string | number>> } | { readonly text: string };
/** Field → problem. Fields: `name`, `provider.baseUrl`, `environment.2.name`, … in the order of the page. */
export type Problems = Readonly<Record<string, Problem>>;

export const limits = {
  nameCharacters: 60,
  descriptionCharacters: 200,
  instructionsCharacters: 32_768,
  urlCharacters: 500,
  modelCharacters: 200,
  tokenCharacters: 4096,
  environmentNameCharacters: 128,
  environmentValueCharacters: 8192,
  noProxyCharacters: 1000,
} as const;

const displayText = new RegExp(DISPLAY_TEXT_PATTERN, 'u');

// eslint-disable-next-line no-control-regex -- finding control characters is the purpose
const controlInText = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f]/u;
const environmentName = new RegExp(ENV_NAME_PATTERN, 'u');
const printableAscii = /^[\x21-\x7e]+$/u;

const characters = (text: string): number => [...text].length;
const tooLong = (text: string, max: number): Problem | null =>
  characters(text) > max ? { key: 'problemTooLong', values: { max, length: characters(text) } } : null;

const line = (text: string, max: number): Problem | null =>
  tooLong(text, max) ?? (displayText.test(text) ? null : { key: 'problemInvisible' });

const url = (text: string): Problem | null => {
  if (/\s/u.test(text)) return { key: 'problemUrlSpaces' };
  if (!/^https?:\/\//u.test(text)) return { key: 'problemUrlScheme' };
  if (!URL.canParse(text) || text.length < 8) return { key: 'problemUrlInvalid' };
  return tooLong(text, limits.urlCharacters);
};

const providerProblems = (form: EditorForm): [string, Problem | null][] => {
  if (cliProtocols[form.cli].length === 0) return [];
  const { provider } = form;
  if (provider.preset === '') return [['provider.preset', { key: 'problemPresetMissing' }]];
  const token = form.providerToken.trim();
  const baseUrl = provider.baseUrl.trim();
  return [
    ['providerToken', token === '' ? null : (tooLong(token, limits.tokenCharacters) ?? tokenProblem(token))],
    ['provider.baseUrl', baseUrl === '' ? { key: 'problemUrlMissing' } : url(baseUrl)],
    ...modelSlotsFor(form.cli).map((slot): [string, Problem | null] => [
      `provider.models.${slot}`,
      modelProblem(provider[slot].trim()),
    ]),
  ];
};

const tokenProblem = (token: string): Problem | null =>
  printableAscii.test(token) ? null : { key: 'problemTokenCharacters' };
const modelProblem = (model: string): Problem | null =>
  /\s/u.test(model) || controlInText.test(model)
    ? { key: 'problemModelSpaces' }
    : tooLong(model, limits.modelCharacters);

const environmentNameProblem = (name: string, seen: Map<string, number>, index: number): Problem | null => {
  if (name === '') return { key: 'problemEnvNameMissing' };
  if (!environmentName.test(name))
    return /^[0-9]/u.test(name) ? { key: 'problemEnvNameDigit' } : { key: 'problemEnvNameCharacters' };
  if (isReservedEnvName(name)) return { key: 'problemEnvReserved', values: { name } };
  if (seen.has(name)) return { key: 'problemEnvDuplicate', values: { name } };
  seen.set(name, index);
  return null;
};

const environmentProblems = (form: EditorForm): [string, Problem | null][] => {
  const rows = sentEnvironment(form);
  const seen = new Map<string, number>();
  const problems = rows.flatMap(({ row, index }): [string, Problem | null][] => [
    [`environment.${index}.name`, environmentNameProblem(row.name.trim(), seen, index)],
    [
      `environment.${index}.value`,
      row.value.includes('\0') ? { key: 'problemInvisible' } : tooLong(row.value, limits.environmentValueCharacters),
    ],
  ]);
  if (rows.length > MAX_ENVIRONMENT_VARIABLES) {
    problems.push([
      'environment',
      { key: 'problemEnvTooMany', values: { max: MAX_ENVIRONMENT_VARIABLES, count: rows.length } },
    ]);
  }
  return problems;
};

const proxyProblems = (form: EditorForm): [string, Problem | null][] => {
  const http = form.proxy.httpProxy.trim();
  const https = form.proxy.httpsProxy.trim();
  const no = form.proxy.noProxy.trim();
  return [
    ['proxy.httpProxy', http === '' ? null : url(http)],
    ['proxy.httpsProxy', https === '' ? null : url(https)],
    ['proxy.noProxy', /\s/u.test(no) ? { key: 'problemNoProxySpaces' } : tooLong(no, limits.noProxyCharacters)],
  ];
};

const MAX_IDLE_MINUTES = 10_080;
const MAX_RECORDING_MEGABYTES = 256;
const numberProblem = (text: string, max: number, key: string): Problem | null =>
  /^[0-9]{0,5}$/u.test(text) && Number(text) <= max ? null : { key, values: { max } };

/** Everything wrong with the form, in the order of the page. The server checks all of it again. */
export const validate = (form: EditorForm, pod: PodCapabilities | null = null): Problems => {
  const name = form.name.trim();
  const found: [string, Problem | null][] = [
    ['name', name === '' ? { key: 'problemNameMissing' } : line(name, limits.nameCharacters)],
    ['description', line(form.description.trim(), limits.descriptionCharacters)],
    ...providerProblems(form),
    [
      'instructions',
      tooLong(form.instructions, limits.instructionsCharacters) ??
        (controlInText.test(form.instructions) ? { key: 'problemInvisible' } : null),
    ],
    ...podProblems(form.pod, pod),
    ['idleMinutes', numberProblem(form.idleMinutes.trim(), MAX_IDLE_MINUTES, 'problemIdleMinutes')],
    [
      'recordingMegabytes',
      numberProblem(form.recordingMegabytes.trim(), MAX_RECORDING_MEGABYTES, 'problemRecordingMegabytes'),
    ],
    ...environmentProblems(form),
    ...proxyProblems(form),
  ];
  return Object.fromEntries(found.filter((entry): entry is [string, Problem] => entry[1] !== null));
};

const knownFields =
  /^(name|icon|description|instructions|cli|permissionMode|providerToken|idleMinutes|recordingMegabytes|pod\.[A-Za-z]+|environment|environment\.\d+\.(name|value)|proxy\.(httpProxy|httpsProxy|noProxy)|provider\.(baseUrl|preset|protocol|models\.(main|strong|small)))$/u;

/**
 * The server's problems at the fields of this page. Indexes of `/environment/N` count the rows that were sent;
 * what belongs to no field of the page is returned as `other`.
 */
export const problemsFromServer = (
  fields: readonly FieldProblem[],
  form: EditorForm,
): { problems: Problems; other: string[] } => {
  const sent = sentEnvironment(form);
  const problems: Record<string, Problem> = {};
  const other: string[] = [];
  for (const { path, message } of fields) {
    const field = path
      .replace(/^\/?(body\/)?/u, '')
      .replaceAll('/', '.')
      .replace(
        /^environment\.(\d+)(?=\.)/u,
        (_all, index: string) => `environment.${sent[Number(index)]?.index ?? index}`,
      )
      .replace(/^(environment\.\d+)$/u, '$1.name')
      .replace(/^provider(\.models)?$/u, 'provider.baseUrl')
      .replace(/^proxy$/u, 'proxy.httpProxy');
    if (knownFields.test(field)) problems[field] ??= { text: message };
    else other.push(path === '' ? message : `${path}: ${message}`);
  }
  return { problems, other };
};
