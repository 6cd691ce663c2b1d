import { Type, type Static } from 'typebox';
import { Empty, Id, nullable, oneOf, strict, Timestamp } from './primitives.ts';
import { route } from './route.ts';

export const PROMPT_MAX_BYTES = 65_536;
/** Prompts of one agent that wait or are being delivered. */
export const PROMPT_QUEUE_MAX = 50;
export const UPLOAD_MAX_BYTES = 100 * 1024 * 1024;

export const promptStates = ['queued', 'delivering', 'delivered', 'failed', 'unknown', 'cancelled'] as const;

export const Prompt = strict({
  id: Id,
  agentId: Id,
  clientRequestId: Type.String(),
  text: Type.String(),
  state: oneOf(promptStates),
  /** Place in the queue: prompts still open are delivered in this order, smallest first. */
  position: Type.Integer({ minimum: 0 }),
  /** Why it failed or cannot be decided, for a person. */
  reason: nullable(Type.String()),
  createdAt: Timestamp,
  settledAt: nullable(Timestamp),
});
export type Prompt = Static<typeof Prompt>;

const tag = 'Prompts';
const params = strict({ agentId: Id });
const promptParams = strict({ agentId: Id, promptId: Id });

export const promptRoutes = {
  listPrompts: route({
    method: 'GET',
    path: '/api/agents/:agentId/prompts',
    access: 'user',
    tag,
    status: 200,
    params,
    summary: 'Prompts still open (queued, delivering, unknown, failed) and the newest delivered ones, oldest first',
    query: strict({ limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 200, default: 50 })) }),
    response: strict({ prompts: Type.Array(Prompt) }),
    errors: ['not_found'],
  }),
  /** The same `clientRequestId` always answers with the same prompt, so a retry never doubles it. */
  sendPrompt: route({
    method: 'POST',
    path: '/api/agents/:agentId/prompts',
    access: 'user',
    tag,
    status: 201,
    params,
    summary: 'Queue a prompt; delivered exactly once when the agent is ready for input',
    body: strict({
      clientRequestId: Type.String({ minLength: 8, maxLength: 64, pattern: '^[A-Za-z0-9_-]+$' }),
      text: Type.String({ minLength: 1, maxLength: PROMPT_MAX_BYTES }),
    }),
    response: Prompt,
    errors: ['not_found', 'payload_too_large', 'limit_reached', 'conflict'],
    bodyLimitBytes: 8 * PROMPT_MAX_BYTES,
  }),
  cancelPrompt: route({
    method: 'DELETE',
    path: '/api/agents/:agentId/prompts/:promptId',
    access: 'user',
    tag,
    status: 204,
    params: promptParams,
    summary: 'Take back a prompt that is not delivered yet, or dismiss a failed or undecided one',
    errors: ['not_found', 'conflict'],
  }),
  /** Names queued prompts in the order wanted; the others follow in the order they had. */
  reorderPrompts: route({
    method: 'PUT',
    path: '/api/agents/:agentId/prompts/order',
    access: 'user',
    tag,
    status: 200,
    params,
    summary: 'Change the order of the prompts that wait; one that was handed to the agent before stays in front',
    body: strict({ promptIds: Type.Array(Id, { minItems: 1, maxItems: PROMPT_QUEUE_MAX, uniqueItems: true }) }),
    response: strict({ prompts: Type.Array(Prompt) }),
    errors: ['not_found'],
  }),
  /** `settledAt` is what the person saw, so that a repeated request never sends a prompt twice. */
  retryPrompt: route({
    method: 'POST',
    path: '/api/agents/:agentId/prompts/:promptId/retry',
    access: 'user',
    tag,
    status: 200,
    params: promptParams,
    summary: 'Send a failed or undecided prompt once more, in its old place of the queue',
    body: strict({ settledAt: Timestamp }),
    response: Prompt,
    errors: ['not_found', 'conflict', 'limit_reached'],
  }),
  interrupt: route({
    method: 'POST',
    path: '/api/agents/:agentId/interrupt',
    access: 'user',
    tag,
    status: 202,
    params,
    body: Empty,
    summary: 'Stop what the CLI is doing now (as Esc in its terminal)',
    errors: ['not_found', 'asleep', 'not_ready'],
  }),
  /** Raw body, `application/octet-stream`. The file lands in the workspace under `uploads/`. */
  uploadFile: route({
    method: 'POST',
    path: '/api/agents/:agentId/uploads',
    access: 'user',
    tag,
    status: 201,
    params,
    kind: 'upload',
    summary: 'Put a file into the workspace of a running sandbox',
    query: strict({ name: Type.String({ minLength: 1, maxLength: 255 }) }),
    response: strict({ path: Type.String(), sizeBytes: Type.Integer() }),
    errors: ['not_found', 'asleep', 'not_ready', 'payload_too_large', 'storage_full'],
    bodyLimitBytes: UPLOAD_MAX_BYTES,
  }),
} as const;
