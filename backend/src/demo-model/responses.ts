import { setTimeout as sleep } from 'node:timers/promises';
import { randomId, type Answer } from './answer.ts';
import { roughTokens, shellFor, wordsOf } from './messages.ts';
import type { MessagesRequest, RequestBlock, RequestMessage, StreamEvent, ToolUseBlock } from './messages.ts';

/** The part of the OpenAI Responses API that Codex uses: a conversation as a flat list of items. */
interface Item {
  readonly type?: string;
  readonly role?: string;
  readonly content?: string | readonly { readonly type: string; readonly text?: string }[];
  readonly output?: unknown;
}
export interface ResponsesRequest {
  readonly model?: string;
  readonly input?: string | readonly Item[];
  readonly tools?: readonly { readonly name?: string }[];
  readonly text?: { readonly format?: { readonly schema?: object } };
}

const isAnswer = ({ type, role }: Item): boolean =>
  role === 'assistant' || type === 'reasoning' || (type?.endsWith('_call') ?? false);

const textsOf = (content: Item['content']): string =>
  typeof content === 'string' ? content : (content ?? []).map(({ text }) => text ?? '').join('\n');

const blocksOf = (item: Item): RequestBlock[] => {
  if (item.type?.endsWith('_call_output')) {
    const text = typeof item.output === 'string' ? item.output : JSON.stringify(item.output);
    return [{ type: 'tool_result', content: text }];
  }
  return [{ type: 'text', text: textsOf(item.content) }];
};

/** Items that follow each other on the model's side are one turn: a text and the call it announces. */
export const fromResponses = (request: ResponsesRequest): MessagesRequest => {
  const { input = [], tools = [] } = request;
  const messages: RequestMessage[] = [];
  for (const item of typeof input === 'string' ? [{ role: 'user', content: input }] : input) {
    if (item.role === 'developer' || item.role === 'system') continue;
    const role = isAnswer(item) ? 'assistant' : 'user';
    if (role === 'assistant' && messages.at(-1)?.role === 'assistant') continue;
    messages.push({ role, content: blocksOf(item) });
  }
  const schema = request.text?.format?.schema;
  return {
    messages,
    tools: tools.flatMap(({ name }) => (name === undefined ? [] : [{ name }])),
    ...(request.model !== undefined && { model: request.model }),
    ...(schema !== undefined && { output_config: { format: { schema } } }),
  };
};

/** Codex has one tool for everything that happens on the machine. */
const callOf = ({ name, input }: ToolUseBlock): { name: string; arguments: string } => {
  const cmd = shellFor(name, input);
  return cmd === null
    ? { name, arguments: JSON.stringify(input) }
    : { name: 'exec_command', arguments: JSON.stringify({ cmd }) };
};

type Message = Extract<Answer, { kind: 'message' }>;

/** The events of one streamed answer, in the order of the Responses API. */
export async function* responsesEvents(request: MessagesRequest, decided: Message): AsyncGenerator<StreamEvent> {
  const base = { id: randomId('resp_'), object: 'response', created_at: Math.floor(Date.now() / 1000) };
  const model = request.model ?? 'demo-model-1';
  const output: object[] = [];
  const event = (type: string, data: object): StreamEvent => ({ event: type, data: { type, ...data } });
  yield event('response.created', { response: { ...base, model, status: 'in_progress', output } });
  for (const block of decided.blocks) {
    if (block.type === 'thinking') continue;
    const output_index = output.length;
    if (block.type === 'tool_use') {
      const item = { type: 'function_call', id: randomId('fc_'), call_id: block.id, ...callOf(block) };
      yield event('response.output_item.added', { output_index, item: { ...item, arguments: '' } });
      yield event('response.output_item.done', { output_index, item });
      output.push(item);
      continue;
    }
    const item = { type: 'message', id: randomId('msg_'), role: 'assistant', status: 'in_progress', content: [] };
    yield event('response.output_item.added', { output_index, item });
    for (const delta of wordsOf(block.text)) {
      yield event('response.output_text.delta', { item_id: item.id, output_index, content_index: 0, delta });
      if (decided.wordMs > 0) await sleep(decided.wordMs);
    }
    const content = [{ type: 'output_text', text: block.text, annotations: [] }];
    const whole = { ...item, status: 'completed', content };
    yield event('response.output_item.done', { output_index, item: whole });
    output.push(whole);
  }
  const tokens = { input_tokens: roughTokens(request.messages), output_tokens: roughTokens(decided.blocks) };
  const usage = {
    ...tokens,
    total_tokens: tokens.input_tokens + tokens.output_tokens,
    input_tokens_details: { cached_tokens: 0 },
    output_tokens_details: { reasoning_tokens: 0 },
  };
  yield event('response.completed', { response: { ...base, model, status: 'completed', output, usage } });
}
