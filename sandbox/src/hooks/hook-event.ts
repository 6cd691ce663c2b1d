/**
 * What a hook process passes on to the sidecar: one JSON line. Everything in it comes from inside the
 * sandbox and is data, never an instruction; the sidecar bounds and checks it again.
 */
export interface HookEvent {
  readonly cli: string;
  readonly event: string;
  readonly sessionId: string | null;
  /** Set inside a subagent. */
  readonly subagentId: string | null;
  readonly prompt: string | null;
  readonly toolName: string | null;
  /** One line that says what the tool is about to do: a command, a path, a pattern. */
  readonly toolDetail: string | null;
  readonly source: string | null;
  readonly reason: string | null;
  readonly notification: string | null;
  readonly backgroundTasks: number | null;
  /** As the CLI sees it. */
  readonly transcriptPath?: string | null;
}

export const MAX_HOOK_LINE_BYTES = 512 * 1024;
const MAX_PROMPT_CHARACTERS = 200_000;
const MAX_TEXT_CHARACTERS = 200;
const MAX_PATH_CHARACTERS = 1_000;

type Fields = Readonly<Record<string, unknown>>;
const isFields = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const text = (value: unknown, maxCharacters = MAX_TEXT_CHARACTERS): string | null =>
  typeof value === 'string' ? value.slice(0, maxCharacters) : null;

/** Members of a tool's input that tell a person most, best first. */
const telling = [
  'command',
  'cmd',
  'file_path',
  'filePath',
  'path',
  'absolute_path',
  'pattern',
  'url',
  'query',
  'description',
  'prompt',
];

const detailOf = (input: unknown): string | null => {
  if (!isFields(input)) return null;
  for (const name of telling) {
    const value = input[name];
    if (typeof value === 'string' && value !== '') return value.slice(0, MAX_TEXT_CHARACTERS);
    if (Array.isArray(value) && value.length > 0) return value.map(String).join(' ').slice(0, MAX_TEXT_CHARACTERS);
  }
  return null;
};

const countOf = (value: unknown): number | null => (Array.isArray(value) ? value.length : null);

/** Reduces a CLI's hook input to the few members that are needed; null when it is no hook input. */
export const toHookEvent = (cli: string, input: unknown): HookEvent | null => {
  if (!isFields(input)) return null;
  const event = text(input['hook_event_name']);
  if (event === null) return null;
  return {
    cli,
    event,
    sessionId: text(input['session_id']),
    subagentId: text(input['agent_id']),
    prompt: text(input['prompt'], MAX_PROMPT_CHARACTERS),
    toolName: text(input['tool_name']),
    toolDetail: detailOf(input['tool_input']),
    source: text(input['source']),
    reason: text(input['reason']),
    notification: text(input['notification_type']),
    backgroundTasks: countOf(input['background_tasks']),
    transcriptPath: text(input['transcript_path'], MAX_PATH_CHARACTERS),
  };
};

const isTextOrNull = (value: unknown): boolean => value === null || typeof value === 'string';

/** Checks a line received on the hook socket: whoever wrote it need not have been our hook. */
export const parseHookLine = (line: string): HookEvent | null => {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return null;
  }
  if (!isFields(value)) return null;
  const { cli, event, backgroundTasks, transcriptPath = null } = value;
  if (typeof cli !== 'string' || typeof event !== 'string') return null;
  const texts = ['sessionId', 'subagentId', 'prompt', 'toolName', 'toolDetail', 'source', 'reason', 'notification'];
  if (![...texts.map((name) => value[name]), transcriptPath].every(isTextOrNull)) return null;
  if (backgroundTasks !== null && typeof backgroundTasks !== 'number') return null;
  return {
    cli: cli.slice(0, MAX_TEXT_CHARACTERS),
    event: event.slice(0, MAX_TEXT_CHARACTERS),
    sessionId: text(value['sessionId']),
    subagentId: text(value['subagentId']),
    prompt: text(value['prompt'], MAX_PROMPT_CHARACTERS),
    toolName: text(value['toolName']),
    toolDetail: text(value['toolDetail']),
    source: text(value['source']),
    reason: text(value['reason']),
    notification: text(value['notification']),
    backgroundTasks,
    transcriptPath: text(transcriptPath, MAX_PATH_CHARACTERS),
  };
};
