import { Ajv, type ErrorObject, type ValidateFunction } from 'ajv';
import type { FastifySchemaCompiler } from 'fastify';
import { AppError } from '../lib/app-error.ts';
import { presentFieldProblems } from './field-problems.ts';

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

/** Fastify's hook for compiled validators; failures arrive at the error mapper as AppError `invalid_request`. */
export const validatorCompiler: FastifySchemaCompiler<object> = ({ schema, httpPart }) => {
  const part = httpPart ?? 'body';
  const check: ValidateFunction = (part === 'body' ? bodyFast : text).compile(schema);
  const thorough = part === 'body' ? bodyThorough.compile(schema) : null;
  return (data: unknown) => {
    if (check(data)) return { value: data };
    const first = check.errors ?? [];
    if (thorough === null || !isSmall(data) || thorough(data)) return { error: refuse(part, first) };
    return { error: refuse(part, thorough.errors ?? first) };
  };
};
