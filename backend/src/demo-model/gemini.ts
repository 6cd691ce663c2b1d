import { setTimeout as sleep } from 'node:timers/promises';
import type { Answer } from './answer.ts';
import { roughTokens, wordsOf } from './messages.ts';
import type {
  JsonSchema,
  MessagesRequest,
  RequestBlock,
  RequestMessage,
  StreamEvent,
  ToolUseBlock,
} from './messages.ts';

/** The part of the Gemini API (generateContent) that Gemini CLI uses. */
interface Part {
  readonly text?: string;
  readonly thought?: boolean;
  readonly functionResponse?: { readonly response?: unknown };
}
export interface GeminiRequest {
  readonly contents?: readonly { readonly role?: string; readonly parts?: readonly Part[] }[];
  readonly generationConfig?: { readonly responseJsonSchema?: JsonSchema; readonly responseSchema?: JsonSchema };
}

const blockOf = (part: Part): RequestBlock =>
  part.functionResponse === undefined
    ? { type: 'text', text: part.thought === true ? '' : (part.text ?? '') }
    : { type: 'tool_result', content: resultText(part.functionResponse.response) };

const resultText = (response: unknown): string =>
  typeof response === 'object' && response !== null && 'output' in response && typeof response.output === 'string'
    ? response.output
    : JSON.stringify(response ?? null);

export const fromGemini = (request: GeminiRequest, model: string): MessagesRequest => {
  const messages = (request.contents ?? []).map(({ role, parts = [] }): RequestMessage => ({
    role: role === 'model' ? 'assistant' : 'user',
    content: parts.map(blockOf),
  }));
  const { responseJsonSchema, responseSchema } = request.generationConfig ?? {};
  const schema = responseJsonSchema ?? responseSchema;
  return { model, messages, ...(schema !== undefined && { output_config: { format: { schema } } }) };
};

/** Gemini CLI's names for the tools of the script. */
const toolNames: Readonly<Record<string, string>> = {
  Bash: 'run_shell_command',
  Write: 'write_file',
  Read: 'read_file',
};
const callOf = ({ name, input }: ToolUseBlock) => ({ functionCall: { name: toolNames[name] ?? name, args: input } });

type Message = Extract<Answer, { kind: 'message' }>;

/** One whole answer, as `generateContent` gives it. */
export const geminiAnswer = (request: MessagesRequest, decided: Message, parts: readonly object[], isLast = true) => {
  const [prompt, answered] = [roughTokens(request.messages), roughTokens(decided.blocks)];
  return {
    candidates: [
      {
        index: 0,
        content: { role: 'model', parts },
        ...(isLast && { finishReason: decided.stopReason === 'max_tokens' ? 'MAX_TOKENS' : 'STOP' }),
      },
    ],
    modelVersion: request.model,
    usageMetadata: { promptTokenCount: prompt, candidatesTokenCount: answered, totalTokenCount: prompt + answered },
  };
};

export const geminiParts = (decided: Message): object[] =>
  decided.blocks.map((block) => {
    if (block.type === 'thinking') return { text: block.thinking, thought: true };
    return block.type === 'text' ? { text: block.text } : callOf(block);
  });

/** The chunks of `streamGenerateContent?alt=sse`. */
export async function* geminiEvents(request: MessagesRequest, decided: Message): AsyncGenerator<StreamEvent> {
  const chunk = (part: object): StreamEvent => ({ data: geminiAnswer(request, decided, [part], false) });
  for (const block of decided.blocks) {
    if (block.type === 'tool_use') yield chunk(callOf(block));
    if (block.type === 'thinking') yield chunk({ text: block.thinking, thought: true });
    if (block.type !== 'text') continue;
    for (const text of wordsOf(block.text)) {
      yield chunk({ text });
      if (decided.wordMs > 0) await sleep(decided.wordMs);
    }
  }
  yield { data: geminiAnswer(request, decided, [{ text: '' }]) };
}
