import { randomBytes } from 'node:crypto';
import {
  locatePrompt,
  recappedPrompt,
  type AnswerBlock,
  type JsonSchema,
  type MessagesRequest,
  type ToolDefinition,
  type ToolUseBlock,
} from './messages.ts';
import { scriptOf, type Directive, type Script } from './script.ts';

export type Answer =
  | { readonly kind: 'error'; readonly httpStatus: number }
  | {
      readonly kind: 'message';
      readonly blocks: readonly AnswerBlock[];
      readonly stopReason: 'end_turn' | 'tool_use' | 'max_tokens';
      /** Pause after each word of text; 0 for none. */
      readonly wordMs: number;
      readonly hang: boolean;
    };

export const randomId = (prefix: string): string => prefix + randomBytes(12).toString('hex');

/**
 * What the model answers: a pure function of the request, so nothing has to be reset between
 * conversations and a retry gives the same answer.
 */
export function answer(request: MessagesRequest): Answer {
  const schema = request.output_config?.format?.schema;
  if (schema?.properties) return message([{ type: 'text', text: JSON.stringify(fillSchema(schema)) }]);

  const messages = request.messages ?? [];
  const recapped = recappedPrompt(messages);
  if (recapped !== null) return message([{ type: 'text', text: recapText(recapped) }]);

  const { prompt, step, lastToolResult } = locatePrompt(messages);
  const script = scriptOf(prompt);
  const turn = script.turns[step];
  if (turn === undefined) return closing(script, prompt, lastToolResult);
  if (turn.action.name === 'status') return { kind: 'error', httpStatus: httpStatusOf(turn.action.argument) };

  const tool = toolUse(turn.action, request.tools ?? []);
  if (tool === null) {
    return message([{ type: 'text', text: `The scripted model does not know the directive "${turn.action.name}".` }]);
  }
  return { ...message([...turn.before.map(modifierBlock), tool]), stopReason: 'tool_use' };
}

function message(blocks: readonly AnswerBlock[]): Extract<Answer, { kind: 'message' }> {
  return { kind: 'message', blocks, stopReason: 'end_turn', wordMs: 0, hang: false };
}

function closing(script: Script, prompt: string, lastToolResult: string | null): Answer {
  return {
    ...message([
      ...script.closing.map(modifierBlock),
      { type: 'text', text: closingText(script, prompt, lastToolResult) },
    ]),
    stopReason: script.maxTokens ? 'max_tokens' : 'end_turn',
    wordMs: script.slow?.wordMs ?? 0,
    hang: script.hang,
  };
}

function closingText(script: Script, prompt: string, lastToolResult: string | null): string {
  if (script.final !== null) return script.final;
  if (script.slow) return Array.from({ length: script.slow.words }, (_, index) => `word${index + 1}`).join(' ');
  if (lastToolResult !== null) return `Done. The tool said: ${lastToolResult.slice(0, 200)}`;
  return (
    `This is the demo model: its answers are scripted and cost nothing. You wrote: ${prompt.slice(0, 200)}\n\n` +
    'Try "show me what you can do", "create a file hello.txt with Hello", "run `ls -la`", "list the files", "count slowly", or a directive such as [[bash: date]].'
  );
}

function recapText(prompt: string): string {
  const asked = prompt.replace(/\s+/g, ' ').slice(0, 120);
  return asked === '' ? 'Nothing was asked yet.' : `You last asked: ${asked}`;
}

function modifierBlock(directive: Directive): AnswerBlock {
  return directive.name === 'think'
    ? { type: 'thinking', thinking: directive.argument, signature: 'ZGVtbw==' }
    : { type: 'text', text: directive.argument };
}

function httpStatusOf(argument: string): number {
  const status = Number(argument);
  return Number.isInteger(status) && status >= 400 && status <= 599 ? status : 500;
}

/** Side requests such as the session title ask for structured output: every property gets a fixed value. */
function fillSchema(schema: JsonSchema): Record<string, unknown> {
  const fill = (property: { type?: string; enum?: readonly unknown[] }): unknown => {
    if (property.enum) return property.enum[0];
    if (property.type === 'boolean') return false;
    if (property.type === 'number' || property.type === 'integer') return 0;
    return property.type === 'array' ? [] : 'Demo conversation';
  };
  return Object.fromEntries(Object.entries(schema.properties ?? {}).map(([key, property]) => [key, fill(property)]));
}

/** CLIs differ in the case of tool names (Bash, bash) and in the path argument, so the request is asked. */
function toolUse(action: Directive, tools: readonly ToolDefinition[]): ToolUseBlock | null {
  const input = toolInput(action, tools);
  return input === null ? null : { type: 'tool_use', id: randomId('toolu_'), ...input };
}

const findTool = (tools: readonly ToolDefinition[], name: string): ToolDefinition | undefined =>
  tools.find((tool) => tool.name.toLowerCase() === name.toLowerCase());

function toolInput(
  { name, argument }: Directive,
  tools: readonly ToolDefinition[],
): { name: string; input: Record<string, unknown> } | null {
  const named = (wanted: string): string => findTool(tools, wanted)?.name ?? wanted;
  const pathKey = (tool: string): string =>
    Object.keys(findTool(tools, tool)?.input_schema?.properties ?? {}).find((key) => /^file_?path$/i.test(key)) ??
    'file_path';
  const [first = '', ...rest] = argument.split('|').map((part) => part.trim());
  switch (name) {
    case 'bash':
      return { name: named('Bash'), input: { command: argument, description: 'Run a scripted command' } };
    case 'write':
      return { name: named('Write'), input: { [pathKey('Write')]: first, content: `${rest.join('|')}\n` } };
    case 'read':
      return { name: named('Read'), input: { [pathKey('Read')]: first } };
    case 'plan':
      return { name: 'ExitPlanMode', input: { plan: argument } };
    case 'agent':
      return subAgent(argument, tools);
    case 'ask':
      return { name: 'AskUserQuestion', input: { questions: [question(first, rest)] } };
    case 'tool':
      return anyTool(argument);
    default:
      return null;
  }
}

function subAgent(
  argument: string,
  tools: readonly ToolDefinition[],
): { name: string; input: Record<string, unknown> } {
  const tool = findTool(tools, 'Agent') ?? findTool(tools, 'Task');
  const generalPurpose = tool === undefined || tool.name !== 'task';
  return {
    name: tool?.name ?? 'Agent',
    input: {
      description: 'Scripted sub-agent',
      prompt: argument.replaceAll('((', '[[').replaceAll('))', ']]'),
      subagent_type: generalPurpose ? 'general-purpose' : 'general',
    },
  };
}

const question = (text: string, options: readonly string[]) => ({
  question: text,
  header: 'Choice',
  multiSelect: false,
  options: (options.length > 0 ? options : ['Yes', 'No']).map((label) => ({ label, description: `Pick ${label}` })),
});

function anyTool(argument: string): { name: string; input: Record<string, unknown> } | null {
  const match = /^(\S+)\s*([\s\S]*)$/.exec(argument);
  if (match?.[1] === undefined) return null;
  try {
    const parsed: unknown = match[2] ? JSON.parse(match[2]) : {};
    return typeof parsed === 'object' && parsed !== null ? { name: match[1], input: { ...parsed } } : null;
  } catch {
    return null;
  }
}
