/** The part of the Anthropic Messages API that coding CLIs use; everything else is passed over. */
export interface TextBlock {
  readonly type: 'text';
  readonly text: string;
}
export interface ThinkingBlock {
  readonly type: 'thinking';
  readonly thinking: string;
  readonly signature: string;
}
export interface ToolUseBlock {
  readonly type: 'tool_use';
  readonly id: string;
  readonly name: string;
  readonly input: Readonly<Record<string, unknown>>;
}
export interface ToolResultBlock {
  readonly type: 'tool_result';
  readonly content?: MessageContent;
}
export type AnswerBlock = TextBlock | ThinkingBlock | ToolUseBlock;
export type RequestBlock = TextBlock | ToolResultBlock | { readonly type: string };
export type MessageContent = string | readonly RequestBlock[];

export interface RequestMessage {
  readonly role: string;
  readonly content: MessageContent;
}

export interface ToolDefinition {
  readonly name: string;
  readonly input_schema?: { readonly properties?: Readonly<Record<string, unknown>> };
}

export interface JsonSchema {
  readonly properties?: Readonly<Record<string, { readonly type?: string; readonly enum?: readonly unknown[] }>>;
}

export interface MessagesRequest {
  readonly model?: string;
  readonly stream?: boolean;
  readonly messages?: readonly RequestMessage[];
  readonly system?: MessageContent;
  readonly tools?: readonly ToolDefinition[];
  readonly output_config?: { readonly format?: { readonly schema?: JsonSchema } };
}

/** What the CLI writes around a person's words: reminders, echoes of local commands, slash-command headers. */
const INJECTED =
  /<(system-reminder|session_context|environment_context|local-command-\w+|command-(?:name|message|args))>[\s\S]*?<\/\1>/g;
const PASTED = /<\/?pasted_content[^>]*>/g;
const INTERRUPTED = /\[Request interrupted by user[^\]]*\]/;

const isText = (block: RequestBlock): block is TextBlock => block.type === 'text';
const isToolResult = (block: RequestBlock): block is ToolResultBlock => block.type === 'tool_result';

/** Plain text of a message, without what the CLI added. */
export function textOf(content: MessageContent | undefined): string {
  const raw =
    typeof content === 'string'
      ? content
      : (content ?? [])
          .filter(isText)
          .map((block) => block.text)
          .join('\n');
  return raw.replace(INJECTED, '').replace(PASTED, '').trim();
}

/**
 * What the person asked in this message. The CLI merges user messages that follow each other, so after
 * an interrupt one message holds the old text, a marker and the new prompt: the last part counts.
 */
const promptOf = (message: RequestMessage): string => (textOf(message.content).split(INTERRUPTED).at(-1) ?? '').trim();

/** A finished background task reaches the model as a reminder, not as text of the person. */
function taskNotification(message: RequestMessage): string | undefined {
  const match = /<task-notification>[\s\S]*?<summary>([\s\S]*?)<\/summary>/.exec(JSON.stringify(message.content));
  return match?.[1]?.replaceAll('\\"', '"');
}

export interface Located {
  readonly prompt: string;
  /** How many turns the model already had on this prompt. */
  readonly step: number;
  readonly lastToolResult: string | null;
}

/** Finds the prompt being answered: the last user message with a person's text, and the turns after it. */
export function locatePrompt(messages: readonly RequestMessage[]): Located {
  for (let index = messages.length - 1; index >= 0; index--) {
    const message = messages[index];
    if (message?.role !== 'user') continue;
    const prompt = promptOf(message);
    if (prompt !== '') return located(prompt, messages.slice(index + 1));
    const note = taskNotification(message);
    if (note !== undefined) return { prompt: `[[final: Noted: ${note}]]`, step: 0, lastToolResult: null };
  }
  return { prompt: '', step: 0, lastToolResult: null };
}

/** What Claude Code asks by itself when the person was away for a while; no words of the person. */
const RECAP = /^The user stepped away and is coming back\b[\s\S]*/m;

/** What the person asked last, when this request is for a recap of it; else null. */
export function recappedPrompt(messages: readonly RequestMessage[]): string | null {
  const { prompt } = locatePrompt(messages);
  if (!RECAP.test(prompt)) return null;
  const before = prompt.replace(RECAP, '').trim(); // merged with a prompt that got no answer
  if (before !== '') return before;
  const asked = messages.findLastIndex((message) => message.role === 'user' && RECAP.test(promptOf(message)));
  return locatePrompt(messages.slice(0, asked)).prompt;
}

function located(prompt: string, after: readonly RequestMessage[]): Located {
  const results = after.flatMap((message) =>
    typeof message.content === 'string' ? [] : message.content.filter(isToolResult),
  );
  const last = results.at(-1);
  return {
    prompt,
    step: after.filter((message) => message.role === 'assistant').length,
    lastToolResult: last === undefined ? null : textOf(last.content),
  };
}

/** One server-sent event of a streamed answer. */
export interface StreamEvent {
  readonly event?: string;
  readonly data: object;
}

/** A text in the pieces it is streamed in. */
export const wordsOf = (text: string): string[] => text.match(/\S+\s*|\s+/g) ?? [];

export const roughTokens = (value: unknown): number => Math.max(1, Math.ceil((JSON.stringify(value) ?? '').length / 4));

const quoted = (word: unknown): string => `'${String(word).replaceAll("'", "'\\''")}'`;

/** A scripted tool call as a shell command, for CLIs whose only tool is a shell; null for tools that are none. */
export const shellFor = (name: string, input: ToolUseBlock['input']): string | null => {
  const path = quoted(input['file_path']);
  if (name === 'Bash') return String(input['command']);
  if (name === 'Write') return `mkdir -p "$(dirname ${path})" && printf %s ${quoted(input['content'])} > ${path}`;
  return name === 'Read' ? `cat ${path}` : null;
};
