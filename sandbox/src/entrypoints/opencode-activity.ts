import { createTeller, HOOK_SOCKET_VARIABLE } from '../hooks/tell.ts';

/**
 * Plugin of opencode's server part: tells the sidecar what opencode does, in the words of Claude Code's hooks.
 * Runs inside opencode with the agent's rights; it only reads and never holds anything up.
 */
interface Part {
  readonly type: string;
  readonly text?: string;
  readonly synthetic?: boolean;
}
interface OpencodeEvent {
  readonly type: string;
  readonly properties?: Readonly<Record<string, unknown>>;
}

const MAX_SUBAGENTS = 1_000;
const tell = createTeller('opencode', process.env[HOOK_SOCKET_VARIABLE]);
/** Sessions of subagents: their end is not the end of the turn. */
const subagents = new Set<string>();

const who = (session: unknown) => ({
  session_id: session,
  ...(typeof session === 'string' && subagents.has(session) && { agent_id: session }),
});

const noteSubagent = (info: unknown): void => {
  if (typeof info !== 'object' || info === null || !('id' in info) || !('parentID' in info)) return;
  if (typeof info.id !== 'string' || typeof info.parentID !== 'string' || subagents.size >= MAX_SUBAGENTS) return;
  subagents.add(info.id);
};

const onEvent = ({ type, properties = {} }: OpencodeEvent): void => {
  const session = who(properties['sessionID']);
  switch (type) {
    case 'session.created':
      noteSubagent(properties['info']);
      break;
    case 'permission.asked': {
      const toolInput = { command: properties['patterns'] };
      tell({
        hook_event_name: 'PermissionRequest',
        ...session,
        tool_name: properties['permission'],
        tool_input: toolInput,
      });
      break;
    }
    case 'question.asked':
      tell({ hook_event_name: 'Notification', ...session, notification_type: 'permission_prompt' });
      break;
    case 'permission.replied':
    case 'question.replied':
    case 'question.rejected':
      tell({ hook_event_name: 'PostToolUse', ...session });
      break;
    case 'session.idle':
      tell({ hook_event_name: 'Stop', ...session });
      break;
  }
};

// opencode awaits its plugins' functions and calls each function that the module exports.
export const SacActivity = () =>
  Promise.resolve({
    'chat.message': (input: { sessionID: string }, { parts }: { parts: readonly Part[] }): Promise<void> => {
      const said = parts.filter(({ type, synthetic }) => type === 'text' && synthetic !== true);
      const prompt = said.map(({ text }) => text ?? '').join('\n');
      tell({ hook_event_name: 'UserPromptSubmit', ...who(input.sessionID), prompt });
      return Promise.resolve();
    },
    'tool.execute.before': (input: { tool: string; sessionID: string }, output: { args: unknown }): Promise<void> => {
      tell({ hook_event_name: 'PreToolUse', ...who(input.sessionID), tool_name: input.tool, tool_input: output.args });
      return Promise.resolve();
    },
    'tool.execute.after': (input: { tool: string; sessionID: string }): Promise<void> => {
      tell({ hook_event_name: 'PostToolUse', ...who(input.sessionID), tool_name: input.tool });
      return Promise.resolve();
    },
    event: ({ event }: { event: OpencodeEvent }): Promise<void> => {
      onEvent(event);
      return Promise.resolve();
    },
  });
