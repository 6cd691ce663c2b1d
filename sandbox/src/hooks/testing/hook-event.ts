import type { HookEvent } from '../hook-event.ts';

/** What a hook of Claude Code tells, as far as a test says; null where it does not. */
export const hookEvent = (event: string, fields: Partial<HookEvent> = {}): HookEvent => ({
  cli: 'claude-code',
  event,
  sessionId: 's',
  subagentId: null,
  prompt: null,
  toolName: null,
  toolDetail: null,
  source: null,
  reason: null,
  notification: null,
  backgroundTasks: null,
  ...fields,
});
