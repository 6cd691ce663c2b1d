import { DISPLAY_TEXT_PATTERN, type FieldProblem } from '@sac/contracts';
import type { ErrorObject } from 'ajv';

const MAX_PROBLEMS = 20;
const MAX_SHOWN_CHARACTERS = 60;
const secretField = /password|secret|token|value$/i;

/** JSON of a value for a message: short, and never of a field that may hold a secret. */
const show = (value: unknown, path: string): string => {
  if (secretField.test(path)) return 'a hidden value';
  const text = JSON.stringify(value) ?? typeof value;
  const characters = [...text];
  return characters.length <= MAX_SHOWN_CHARACTERS ? text : `${characters.slice(0, MAX_SHOWN_CHARACTERS).join('')}…`;
};

const lengthOf = (value: unknown): number =>
  typeof value === 'string' ? [...value].length : Array.isArray(value) ? value.length : 0;

const typeOf = (value: unknown): string =>
  value === null ? 'null' : Array.isArray(value) ? 'an array' : `a ${typeof value}`.replace('a o', 'an o');

const patternMessages = new Map<string, string>([
  [
    DISPLAY_TEXT_PATTERN,
    'must be one line without control, invisible or direction-changing characters and without spaces at its ends',
  ],
  ['^[1-9][0-9]{0,17}$', 'must be an id'],
  [
    '^[A-Za-z0-9][A-Za-z0-9._-]*$',
    'must consist of letters, digits, ".", "_" and "-" and begin with a letter or digit',
  ],
  ['^[^\\s@\\u0000-\\u001f]+@[^\\s@\\u0000-\\u001f]+$', 'must be an e-mail address'],
]);

const messageOf = (error: ErrorObject, path: string): string => {
  const { keyword, params, data } = error as ErrorObject<string, Record<string, unknown>>;
  const limit = String(params['limit']);
  switch (keyword) {
    case 'required':
      return 'is required';
    case 'additionalProperties':
      return 'is not a known field';
    case 'type':
      return `must be ${[params['type']].flat().join(' or ')}, is ${typeOf(data)}`;
    case 'minLength':
      return limit === '1' ? 'must not be empty' : `must have at least ${limit} characters, has ${lengthOf(data)}`;
    case 'maxLength':
      return `must have at most ${limit} characters, has ${lengthOf(data)}`;
    case 'minItems':
    case 'maxItems':
      return `must have at ${keyword === 'minItems' ? 'least' : 'most'} ${limit} entries, has ${lengthOf(data)}`;
    case 'minimum':
    case 'maximum':
      return `must be at ${keyword === 'minimum' ? 'least' : 'most'} ${limit}, is ${show(data, path)}`;
    case 'enum':
      return `must be one of ${(params['allowedValues'] as unknown[]).map(String).join(', ')}; is ${show(data, path)}`;
    case 'pattern':
      return (
        patternMessages.get(String(params['pattern'])) ?? `has characters that are not allowed: ${show(data, path)}`
      );
    default:
      return error.message ?? 'is not valid';
  }
};

const pathOf = (error: ErrorObject): string => {
  const params = error.params as Record<string, unknown>;
  const child =
    error.keyword === 'required'
      ? params['missingProperty']
      : error.keyword === 'additionalProperties'
        ? params['additionalProperty']
        : null;
  if (typeof child !== 'string') return error.instancePath;
  const name = [...child].slice(0, MAX_SHOWN_CHARACTERS).join('');
  return `${error.instancePath}/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`;
};

/** "X or null" fails once for X, once for null and once as a whole: only the first says something. */
const isNoise = (error: ErrorObject, all: readonly ErrorObject[]): boolean => {
  const saysNull = error.keyword === 'type' && (error.params as Record<string, unknown>)['type'] === 'null';
  const isUnion = error.keyword === 'anyOf' || error.keyword === 'oneOf';
  return (
    (saysNull || isUnion) &&
    all.some(
      (other) =>
        other !== error &&
        other.keyword !== 'anyOf' &&
        other.instancePath.startsWith(error.instancePath) &&
        !((other.params as Record<string, unknown>)['type'] === 'null'),
    )
  );
};

/** Sentences for a person from what the validator found; at most 20, one per field. */
export const presentFieldProblems = (errors: readonly ErrorObject[]): FieldProblem[] => {
  const byPath = new Map<string, FieldProblem>();
  for (const error of errors) {
    if (byPath.size >= MAX_PROBLEMS) break;
    if (isNoise(error, errors)) continue;
    const path = pathOf(error);
    if (!byPath.has(path)) byPath.set(path, { path, message: messageOf(error, path) });
  }
  return [...byPath.values()];
};
