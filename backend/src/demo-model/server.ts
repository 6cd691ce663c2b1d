import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { answer, randomId, type Answer } from './answer.ts';
import { fromGemini, geminiAnswer, geminiEvents, geminiParts, type GeminiRequest } from './gemini.ts';
import { roughTokens, wordsOf, type AnswerBlock, type MessagesRequest, type StreamEvent } from './messages.ts';
import { fromResponses, responsesEvents, type ResponsesRequest } from './responses.ts';

const MAX_BODY_BYTES = 64 * 1024 * 1024;
const PING_INTERVAL_MS = 500;
const MODEL_NAME = 'demo-model-1';

export interface DemoModel {
  /** Base URL without a trailing slash. */
  readonly url: string;
  close(): Promise<void>;
}

export interface DemoModelOptions {
  /** 0 picks a free port. */
  readonly port: number;
  /** Address to listen on; default 127.0.0.1. */
  readonly host?: string;
  /** Called once per request with method and path, for logs and tests. */
  readonly onRequest?: (request: { readonly method: string; readonly path: string; readonly body: unknown }) => void;
}

/**
 * Starts the scripted model: enough of the Anthropic Messages API for Claude Code and opencode, of
 * the OpenAI Responses API for Codex and of the Gemini API for Gemini CLI.
 */
export async function startDemoModel(options: DemoModelOptions): Promise<DemoModel> {
  const server = createServer((request, response) => {
    response.on('error', () => response.destroy());
    handle(request, response, options).catch((error: unknown) => {
      if (response.headersSent) response.destroy();
      else sendError(response, 400, error instanceof Error ? error.message : 'bad request');
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.port, options.host ?? '127.0.0.1', resolve);
  });
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}`, close: () => closeServer(server) };
}

function closeServer(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}

async function handle(request: IncomingMessage, response: ServerResponse, options: DemoModelOptions): Promise<void> {
  const method = request.method ?? 'GET';
  const { pathname } = new URL(request.url ?? '/', 'http://demo');
  const body = await readJson(request);
  options.onRequest?.({ method, path: pathname, body });

  if (method === 'POST' && pathname === '/v1/messages') return sendAnswer(response, body as MessagesRequest);
  if (method === 'POST' && pathname === '/v1/messages/count_tokens') {
    return sendJson(response, 200, { input_tokens: roughTokens(body) });
  }
  if (method === 'POST' && pathname === '/v1/responses') {
    const asked = fromResponses(body as ResponsesRequest);
    return sendStream(response, asked, responsesEvents);
  }
  const gemini = /^\/v1beta\/models\/([^/]+):(\w+)$/.exec(pathname);
  if (method === 'POST' && gemini) return sendGemini(response, gemini, body as GeminiRequest);
  if (method === 'GET' && pathname === '/v1/models') return sendJson(response, 200, modelList());
  if (method === 'HEAD' || pathname === '/' || pathname === '/api/hello')
    return sendJson(response, 200, { message: 'hello' });
  sendError(response, 404, `The demo model has no route ${method} ${pathname}.`);
}

async function readJson(request: IncomingMessage): Promise<unknown> {
  const parts: Buffer[] = [];
  let sizeBytes = 0;
  for await (const part of request as AsyncIterable<Buffer>) {
    sizeBytes += part.length;
    if (sizeBytes > MAX_BODY_BYTES) throw new Error(`The request is larger than ${MAX_BODY_BYTES} bytes.`);
    parts.push(part);
  }
  const text = Buffer.concat(parts).toString('utf8');
  return text === '' ? {} : (JSON.parse(text) as unknown);
}

const modelList = () => ({
  data: [{ type: 'model', id: MODEL_NAME, display_name: 'Demo model (scripted)', created_at: '2025-01-01T00:00:00Z' }],
  has_more: false,
  first_id: MODEL_NAME,
  last_id: MODEL_NAME,
});

const errorTypes: Readonly<Record<number, string>> = {
  400: 'invalid_request_error',
  401: 'authentication_error',
  403: 'permission_error',
  404: 'not_found_error',
  413: 'request_too_large',
  429: 'rate_limit_error',
  529: 'overloaded_error',
};

function sendJson(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json', 'request-id': randomId('req_') });
  response.end(JSON.stringify(body));
}

function sendError(response: ServerResponse, status: number, message: string): void {
  sendJson(response, status, { type: 'error', error: { type: errorTypes[status] ?? 'api_error', message } });
}

async function sendAnswer(response: ServerResponse, request: MessagesRequest): Promise<void> {
  const decided = answer(request);
  if (decided.kind === 'error') return sendError(response, decided.httpStatus, 'Scripted error.');
  if (request.stream === true) return streamMessage(response, request, decided);
  sendJson(response, 200, {
    ...envelope(request, decided.blocks),
    content: decided.blocks,
    stop_reason: decided.stopReason,
  });
}

const envelope = (request: MessagesRequest, blocks: readonly AnswerBlock[]) => ({
  id: randomId('msg_'),
  type: 'message',
  role: 'assistant',
  model: request.model ?? MODEL_NAME,
  content: [] as readonly AnswerBlock[],
  stop_reason: null as string | null,
  stop_sequence: null,
  usage: {
    input_tokens: roughTokens(request.messages),
    cache_creation_input_tokens: 0,
    cache_read_input_tokens: 0,
    output_tokens: roughTokens(blocks),
  },
});

type Send = (type: string, data?: Record<string, unknown>) => void;

/** Streams one message as the Messages API does: start, blocks, delta, stop. */
async function streamMessage(
  response: ServerResponse,
  request: MessagesRequest,
  decided: Extract<Answer, { kind: 'message' }>,
): Promise<void> {
  response.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8', 'cache-control': 'no-cache' });
  const closed = (): boolean => response.destroyed || response.writableEnded;
  const send: Send = (type, data = {}) => {
    if (!closed()) response.write(`event: ${type}\ndata: ${JSON.stringify({ type, ...data })}\n\n`);
  };
  const start = envelope(request, decided.blocks);
  send('message_start', { message: { ...start, usage: { ...start.usage, output_tokens: 1 } } });
  send('ping');
  while (decided.hang && !closed()) {
    await sleep(PING_INTERVAL_MS);
    send('ping');
  }
  for (const [index, block] of decided.blocks.entries()) {
    if (closed()) return;
    await sendBlock(send, index, block, decided.wordMs);
  }
  send('message_delta', {
    delta: { stop_reason: decided.stopReason, stop_sequence: null },
    usage: { output_tokens: start.usage.output_tokens },
  });
  send('message_stop');
  response.end();
}

async function sendBlock(send: Send, index: number, block: AnswerBlock, wordMs: number): Promise<void> {
  const delta = (data: Record<string, unknown>): void => send('content_block_delta', { index, delta: data });
  if (block.type === 'text') {
    send('content_block_start', { index, content_block: { type: 'text', text: '' } });
    for (const word of wordsOf(block.text)) {
      delta({ type: 'text_delta', text: word });
      if (wordMs > 0) await sleep(wordMs);
    }
  } else if (block.type === 'thinking') {
    send('content_block_start', { index, content_block: { type: 'thinking', thinking: '', signature: '' } });
    delta({ type: 'thinking_delta', thinking: block.thinking });
    delta({ type: 'signature_delta', signature: block.signature });
  } else {
    send('content_block_start', { index, content_block: { ...block, input: {} } });
    const json = JSON.stringify(block.input);
    for (let at = 0; at < json.length; at += 40)
      delta({ type: 'input_json_delta', partial_json: json.slice(at, at + 40) });
  }
  send('content_block_stop', { index });
}

type Message = Extract<Answer, { kind: 'message' }>;
type Events = (request: MessagesRequest, decided: Message) => AsyncIterable<StreamEvent>;

/** Streams an answer in a protocol whose events are made elsewhere. */
async function sendStream(response: ServerResponse, request: MessagesRequest, events: Events): Promise<void> {
  const decided = answer(request);
  if (decided.kind === 'error') return sendError(response, decided.httpStatus, 'Scripted error.');
  response.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8', 'cache-control': 'no-cache' });
  const closed = (): boolean => response.destroyed || response.writableEnded;
  while (decided.hang && !closed()) {
    response.write(': still here\n\n');
    await sleep(PING_INTERVAL_MS);
  }
  for await (const { event, data } of events(request, decided)) {
    if (closed()) return;
    response.write(`${event === undefined ? '' : `event: ${event}\n`}data: ${JSON.stringify(data)}\n\n`);
  }
  response.end();
}

async function sendGemini(
  response: ServerResponse,
  [, model = '', action]: RegExpExecArray,
  body: GeminiRequest,
): Promise<void> {
  const request = fromGemini(body, model);
  if (action === 'countTokens') return sendJson(response, 200, { totalTokens: roughTokens(body) });
  if (action === 'streamGenerateContent') return sendStream(response, request, geminiEvents);
  if (action !== 'generateContent') return sendError(response, 404, `The demo model has no action ${action ?? ''}.`);
  const decided = answer(request);
  if (decided.kind === 'error') return sendError(response, decided.httpStatus, 'Scripted error.');
  sendJson(response, 200, geminiAnswer(request, decided, geminiParts(decided)));
}
