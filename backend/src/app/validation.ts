import { Ajv, type ErrorObject } from 'ajv';
import type { FastifySchemaCompiler } from 'fastify';
import { AppError } from '../lib/app-error.ts';
import { presentFieldProblems } from './field-problems.ts';
import type { Late } from './late.ts';

/** All problems of a body are worth finding only while it is small: each costs memory, and their number is the sender's choice. */
const ALL_PROBLEMS_MAX_BYTES = 64 * 1024;

const common = { removeAdditional: false, useDefaults: true, strict: false, verbose: true } as const;
// Bodies are JSON and have types: `5` is not `"5"`, and an unknown field is a mistake to be told about.
const bodyFast = new Ajv({ ...common, coerceTypes: false });
const bodyThorough = new Ajv({ ...common, coerceTypes: false, useDefaults: false, allErrors: true });
// Paths and queries are text only.
const text = new Ajv({ ...common, coerceTypes: true });

const partNames: Record<string, string> = {
  body: 'The body',
  querystring: 'The query',
  params: 'The address',
  headers: 'The headers',
};

const refuse = (part: string, errors: readonly ErrorObject[]): AppError => {
  const fields = presentFieldProblems(errors);
  const [first] = fields;
  const where = partNames[part] ?? 'The request';
  const message =
    first === undefined
      ? `${where} is not valid.`
      : `${where} is not valid: ${first.path === '' ? 'it' : first.path} ${first.message}.`;
  return new AppError('invalid_request', message, { fields });
};

const isSmall = (data: unknown): boolean => JSON.stringify(data)?.length <= ALL_PROBLEMS_MAX_BYTES;

/**
 * Fastify's hook for compiled validators, made late: for all routes at once that takes seconds of every start on a busy
 * machine. Failures arrive at the error mapper as AppError `invalid_request`.
 */
export const lateValidators =
  (late: Late): FastifySchemaCompiler<object> =>
  ({ schema, httpPart }) => {
    const part = httpPart ?? 'body';
    const fast = late.of(() => (part === 'body' ? bodyFast : text).compile(schema), { common: true });
    const thorough = late.of(() => bodyThorough.compile(schema), { common: false });
    return (data: unknown) => {
      if (fast()(data)) return { value: data };
      const first = fast().errors ?? [];
      if (part !== 'body' || !isSmall(data) || thorough()(data)) return { error: refuse(part, first) };
      return { error: refuse(part, thorough().errors ?? first) };
    };
  };
