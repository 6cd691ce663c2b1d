import { Readable } from 'node:stream';
import type { promptRoutes } from '@sac/contracts';
import type { FastifyRequest } from 'fastify';
import type { Handlers } from '../../lib/handlers.ts';
import { DEFAULT_LIST_LIMIT } from './repository.ts';
import type { PromptService } from './service.ts';
import type { UploadService } from './uploads.ts';

const contentLengthBytes = (request: FastifyRequest): number | null => {
  const header = request.headers['content-length'];
  return header !== undefined && /^[0-9]{1,15}$/.test(header) ? Number(header) : null;
};

export const promptHandlers = (
  prompts: PromptService,
  uploads: UploadService,
): Pick<Handlers, keyof typeof promptRoutes> => ({
  listPrompts: ({ user, params, query }) => prompts.list(user, params.agentId, query.limit ?? DEFAULT_LIST_LIMIT),
  sendPrompt: ({ user, params, body }) => prompts.send(user, params.agentId, body),
  cancelPrompt: ({ user, params }) => prompts.cancel(user, params.agentId, params.promptId),
  reorderPrompts: ({ user, params, body }) => prompts.reorder(user, params.agentId, body.promptIds),
  retryPrompt: ({ user, params, body }) =>
    prompts.retry(user, params.agentId, { promptId: params.promptId, settledAt: body.settledAt }),
  interrupt: ({ user, params }) => prompts.interrupt(user, params.agentId),
  uploadFile: ({ user, params, query, request, signal }) =>
    uploads.upload(user, {
      agentId: params.agentId,
      name: query.name,
      source: request.body instanceof Readable ? request.body : request.raw,
      contentLengthBytes: contentLengthBytes(request),
      signal,
    }),
});
