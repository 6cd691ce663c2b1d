import { errorCodes, errorTable, type ErrorCode, type RouteDefinition } from '@sac/contracts';
import type { FastifySchema } from 'fastify';

const generalErrors: readonly ErrorCode[] = ['invalid_request', 'rate_limited', 'internal', 'database_unavailable'];
const authErrors: readonly ErrorCode[] = ['unauthenticated'];

const envelopeSchema = (codes: readonly ErrorCode[]) => ({
  description: codes.join(', '),
  type: 'object',
  required: ['code', 'message', 'requestId'],
  properties: {
    code: { type: 'string', enum: codes },
    message: { type: 'string' },
    requestId: { type: 'string' },
    details: { type: 'object', additionalProperties: true },
  },
});

const errorResponses = (definition: RouteDefinition): Record<string, unknown> => {
  const guarded = definition.access === 'public' ? [] : authErrors;
  const forbidden: ErrorCode[] = definition.access === 'admin' ? ['forbidden'] : [];
  const codes = new Set<ErrorCode>([...generalErrors, ...guarded, ...forbidden, ...(definition.errors ?? [])]);
  const byStatus = new Map<number, ErrorCode[]>();
  for (const code of errorCodes.filter((candidate) => codes.has(candidate))) {
    const { httpStatus } = errorTable[code];
    byStatus.set(httpStatus, [...(byStatus.get(httpStatus) ?? []), code]);
  }
  return Object.fromEntries([...byStatus].map(([status, list]) => [String(status), envelopeSchema(list)]));
};

const successResponse = (definition: RouteDefinition): unknown => {
  if (definition.kind === 'stream') return { description: 'text/event-stream', type: 'string' };
  if (definition.response === undefined) return { description: 'No content', type: 'null' };
  return definition.response;
};

/** One contract route as Fastify wants it: the same schemas validate, shape the answer and fill the API page. */
export const routeSchema = (definition: RouteDefinition): FastifySchema => ({
  summary: definition.summary,
  tags: [definition.tag],
  ...(definition.params === undefined ? {} : { params: definition.params }),
  ...(definition.query === undefined ? {} : { querystring: definition.query }),
  ...(definition.body === undefined ? {} : { body: definition.body }),
  ...(definition.kind === 'upload' ? { consumes: ['application/octet-stream'] } : {}),
  ...(definition.kind === 'stream' ? { produces: ['text/event-stream'] } : {}),
  ...(definition.access === 'public' ? {} : { security: [{ accessToken: [] }] }),
  response: { [definition.status]: successResponse(definition), ...errorResponses(definition) },
});
