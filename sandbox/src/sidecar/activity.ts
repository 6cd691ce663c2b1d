import type { SandboxReport } from '@sac/contracts';
import type { HookEvent } from '../hooks/hook-event.ts';
import type { ActivitySource } from '../profiles/profile.ts';
import type { ClaudeState } from './claude-state.ts';
import type { ControlState } from './control-client.ts';

export type Activity = Pick<SandboxReport['activity'], 'state' | 'text'>;

/** A CLI that said it has started, or asked for pastes to be marked, takes them after this long. */
export const SETTLE_MS = 1_000;
/** One that never does counts as ready after this long. */
export const QUIET_READY_MS = 60_000;
/** Claude notes the end of a turn in its file once its hooks have ended; without that note nobody waits longer. */
const TURN_END_PATIENCE_MS = 3_000;
const MAX_TEXT_CHARACTERS = 200;

type Turn = 'unknown' | 'idle' | 'working' | 'waiting';

/** One line without control characters or text that would change its direction. */
export const oneLine = (text: string): string =>
  text
    .replace(/[\p{Cc}\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]+/gu, ' ')
    .replace(/\s+/g, ' ')
    .trim()
    .slice(0, MAX_TEXT_CHARACTERS);

const toolText = ({ toolName, toolDetail }: HookEvent): string | null => {
  if (toolName === null) return null;
  return oneLine(toolDetail === null ? toolName : `${toolName}: ${toolDetail}`);
};

/** What hooks of different CLIs call the same thing. */
const meanings: Readonly<Record<string, string>> = {
  BeforeAgent: 'UserPromptSubmit',
  AfterAgent: 'Stop',
  BeforeTool: 'PreToolUse',
  AfterTool: 'PostToolUse',
  PostToolUseFailure: 'PostToolUse',
  StopFailure: 'Stop',
};
export const meaningOf = (event: string): string => meanings[event] ?? event;

/**
 * What the CLI is doing, from three sources: its process (terminal server), its hooks, and Claude's live state
 * file, which alone tells of an interrupt (Esc fires no hook). Pure state: time comes in from outside.
 */
export class ActivityTracker {
  readonly #source: ActivitySource;
  #main: ControlState['main'] | null = null;
  #mainSeenAt = 0;
  #pasteAskedAt: number | null = null;
  #startedAt: number | null = null;
  #turn: Turn = 'unknown';
  #text: string | null = null;
  #backgroundTasks = 0;
  #lastHookAt = 0;
  /** When the last turn began, and since when the state file says that none is under way; 0: not known. */
  #promptAt = 0;
  #fileIdleAt = 0;
  #fileSeen = false;

  constructor(source: ActivitySource) {
    this.#source = source;
  }

  /** The terminal server's view of the CLI process. A new process starts from nothing. */
  setMain(main: ControlState['main'] | null, nowMs: number): void {
    const same =
      main !== null &&
      this.#main !== null &&
      main.running === this.#main.running &&
      main.pid === this.#main.pid &&
      main.startedAt === this.#main.startedAt;
    this.#main = main;
    if (same) return;
    this.#mainSeenAt = nowMs;
    this.#pasteAskedAt = null;
    this.#startedAt = null;
    this.#turn = 'unknown';
    this.#text = null;
    this.#backgroundTasks = 0;
    this.#promptAt = 0;
    this.#fileIdleAt = 0;
    this.#fileSeen = false;
  }

  hook(event: HookEvent, nowMs: number): void {
    this.#lastHookAt = nowMs;
    switch (meaningOf(event.event)) {
      case 'SessionStart':
        this.#startedAt ??= nowMs;
        // A compaction restarts the session in the middle of a turn.
        if (event.source !== 'compact') this.#set('idle', null);
        break;
      case 'UserPromptSubmit':
        this.#promptAt = nowMs;
        this.#backgroundTasks = 0;
        this.#set('working', null);
        break;
      case 'PreToolUse':
        this.#set('working', toolText(event));
        break;
      case 'PostToolUse':
        this.#set('working', null);
        break;
      case 'PermissionRequest':
        this.#set('waiting', `allow ${toolText(event) ?? 'this'}?`.slice(0, MAX_TEXT_CHARACTERS));
        break;
      case 'Notification':
        if (event.notification === 'permission_prompt' || event.notification === 'ToolPermission')
          this.#set('waiting', this.#text ?? 'needs your permission');
        break;
      case 'Stop':
        this.#stopped(event);
        break;
      default:
        break;
    }
  }

  /** Idle means Stop and nothing left in the background: a finished background agent starts another turn. */
  #stopped(event: HookEvent): void {
    // A subagent's end is not the end of the turn.
    if (event.subagentId !== null) return;
    this.#backgroundTasks = event.backgroundTasks ?? 0;
    if (this.#backgroundTasks === 0) return this.#set('idle', null);
    this.#set('working', `${this.#backgroundTasks} background ${this.#backgroundTasks === 1 ? 'task' : 'tasks'}`);
  }

  /** Claude's own state file; `updatedAtMs` is its clock, which is ours. */
  claudeState(state: ClaudeState): void {
    this.#fileSeen = true;
    this.#fileIdleAt = state.status === 'idle' ? state.updatedAtMs : 0;
    // A hook that came after the file was written knows more.
    if (this.#turn !== 'unknown' && state.updatedAtMs < this.#lastHookAt) return;
    if (state.status === 'busy') {
      if (this.#turn === 'waiting' || this.#turn === 'idle' || this.#turn === 'unknown')
        this.#set('working', this.#turn === 'waiting' ? null : this.#text);
    } else if (state.status === 'waiting') {
      if (this.#turn !== 'waiting') this.#set('waiting', this.#questionOf(state));
    } else if (this.#backgroundTasks === 0) this.#set('idle', null);
  }

  /** The file may tell of a question before its hook does; what was asked for is known from the tool's own hook. */
  #questionOf({ waitingFor }: ClaudeState): string {
    if (waitingFor === 'permission prompt' && this.#text !== null)
      return `allow ${this.#text}?`.slice(0, MAX_TEXT_CHARACTERS);
    return oneLine(waitingFor ?? 'input needed');
  }

  /** The CLI noted outside its hooks that the turn was interrupted at `atMs`; older than its last word it says nothing. */
  interrupted(atMs: number): void {
    if (this.isBusy && atMs >= this.#lastHookAt) this.#set('idle', null);
  }

  get isBusy(): boolean {
    return this.#turn === 'working' || this.#turn === 'waiting';
  }

  /** Nothing is known of the CLI but that it runs, and its hooks will not tell before the first prompt. */
  get isUnheard(): boolean {
    return this.#source === 'quiet-hooks' && this.#turn === 'unknown' && this.#main?.running === true;
  }

  /** Whether the CLI asked its terminal for bracketed paste: the sign that it reads its input itself. */
  pasteMode(isOn: boolean, nowMs: number): void {
    this.#pasteAskedAt = isOn ? (this.#pasteAskedAt ?? nowMs) : null;
  }

  #set(turn: Turn, text: string | null): void {
    this.#turn = turn;
    this.#text = text;
  }

  /** True when a prompt may be pasted: the CLI waits for one, and its input box has had time to come up. */
  readyForPrompt(nowMs: number): boolean {
    const isSettled = this.#source === 'claude' || this.#startedAt === null || nowMs - this.#startedAt >= SETTLE_MS;
    return isSettled && this.current(nowMs).state === 'ready' && this.#turnIsOver(nowMs);
  }

  /**
   * Claude reports Stop from within the turn. What is pasted before the turn is over is queued by the CLI, and two
   * prompts in that queue become one turn.
   */
  #turnIsOver(nowMs: number): boolean {
    if (this.#source !== 'claude' || !this.#fileSeen) return true;
    return this.#fileIdleAt > this.#promptAt || nowMs - this.#lastHookAt > TURN_END_PATIENCE_MS;
  }

  current(nowMs: number): Activity {
    const main = this.#main;
    if (main === null) return { state: 'starting', text: null };
    if (!main.running) {
      if (!main.gaveUp) return { state: 'starting', text: main.restarts > 0 ? 'restarting' : null };
      return { state: main.exit?.code === 0 ? 'ended' : 'crashed', text: null };
    }
    switch (this.#turn) {
      case 'working':
        return { state: 'working', text: this.#text };
      case 'waiting':
        return { state: 'waiting', text: this.#text };
      case 'idle':
        return { state: 'ready', text: null };
      case 'unknown':
        return { state: this.#readyUnheard(nowMs) ? 'ready' : 'starting', text: null };
    }
  }

  /** No word from the CLI yet: whether it may be taken as ready all the same. */
  #readyUnheard(nowMs: number): boolean {
    if (this.#source === 'claude' || this.#source === 'none') return this.#source === 'none';
    if (this.#pasteAskedAt !== null && nowMs - this.#pasteAskedAt >= SETTLE_MS) return true;
    return nowMs - this.#mainSeenAt >= QUIET_READY_MS;
  }
}
