import { describe, expect, it } from 'vitest';
import type { HookEvent } from '../hooks/hook-event.ts';
import { hookEvent } from '../hooks/testing/hook-event.ts';
import { ActivityTracker, oneLine, QUIET_READY_MS, SETTLE_MS } from './activity.ts';
import type { ControlState } from './control-client.ts';

const running: ControlState['main'] = {
  running: true,
  pid: 20,
  startedAt: '2026-01-01T00:00:00.000Z',
  restarts: 0,
  gaveUp: false,
  exit: null,
  output: null,
};

const claude = () => {
  const tracker = new ActivityTracker('claude');
  tracker.setMain(running, 0);
  const after = (...events: HookEvent[]) => {
    events.forEach((event, index) => tracker.hook(event, 1_000 + index));
    return tracker.current(2_000);
  };
  return { tracker, after };
};

describe('a turn told by hooks', () => {
  const prompt = hookEvent('UserPromptSubmit', { prompt: 'hi' });
  it.each([
    ['started', [hookEvent('SessionStart', { source: 'startup' })], 'ready', null],
    ['prompted', [prompt], 'working', null],
    [
      'in a tool',
      [prompt, hookEvent('PreToolUse', { toolName: 'Bash', toolDetail: 'npm test' })],
      'working',
      'Bash: npm test',
    ],
    [
      'asking',
      [
        prompt,
        hookEvent('PreToolUse', { toolName: 'Bash' }),
        hookEvent('PermissionRequest', { toolName: 'Bash', toolDetail: 'rm x' }),
      ],
      'waiting',
      'allow Bash: rm x?',
    ],
    [
      'answered',
      [prompt, hookEvent('PermissionRequest', { toolName: 'Bash' }), hookEvent('PostToolUse', { toolName: 'Bash' })],
      'working',
      null,
    ],
    ['done', [prompt, hookEvent('Stop', { backgroundTasks: 0 })], 'ready', null],
    ['failed', [prompt, hookEvent('StopFailure')], 'ready', null],
    ['agents in the background', [prompt, hookEvent('Stop', { backgroundTasks: 2 })], 'working', '2 background tasks'],
    [
      'last background agent noted',
      [prompt, hookEvent('Stop', { backgroundTasks: 1 }), prompt, hookEvent('Stop', { backgroundTasks: 0 })],
      'ready',
      null,
    ],
    ['subagent stopped', [prompt, hookEvent('Stop', { subagentId: 'a' })], 'working', null],
    ['compacted in a turn', [prompt, hookEvent('SessionStart', { source: 'compact' })], 'working', null],
    ['gemini', [hookEvent('BeforeAgent', { prompt: 'x' }), hookEvent('AfterAgent')], 'ready', null],
  ] as const)('%s', (_name, events, state, text) => {
    expect(claude().after(...events)).toEqual({ state, text });
  });
});

describe("Claude's state file", () => {
  it('ends a turn that Esc interrupted without a hook', () => {
    const { tracker, after } = claude();
    after(hookEvent('UserPromptSubmit'));
    tracker.claudeState({ status: 'idle', waitingFor: null, sessionId: null, updatedAtMs: 1_500 });
    expect(tracker.current(2_000).state).toBe('ready');
  });

  it('is ignored when a hook is newer', () => {
    const { tracker, after } = claude();
    after(hookEvent('UserPromptSubmit'));
    tracker.claudeState({ status: 'idle', waitingFor: null, sessionId: null, updatedAtMs: 900 });
    expect(tracker.current(2_000).state).toBe('working');
  });

  it('says when a turn is over: Stop comes from within it', () => {
    const { tracker } = claude();
    const idleAt = (updatedAtMs: number) =>
      tracker.claudeState({ status: 'idle', waitingFor: null, sessionId: null, updatedAtMs });
    tracker.hook(hookEvent('SessionStart'), 1_000);
    expect(tracker.readyForPrompt(1_001)).toBe(true);
    idleAt(900);
    tracker.hook(hookEvent('UserPromptSubmit'), 2_000);
    tracker.hook(hookEvent('Stop'), 2_500);
    expect(tracker.current(2_501).state).toBe('ready');
    expect(tracker.readyForPrompt(2_501)).toBe(false);
    idleAt(2_700);
    expect(tracker.readyForPrompt(2_701)).toBe(true);
    tracker.hook(hookEvent('UserPromptSubmit'), 3_000);
    tracker.hook(hookEvent('Stop'), 3_100);
    expect(tracker.readyForPrompt(6_000)).toBe(false);
    // A file that never says so does not hold prompts back for ever.
    expect(tracker.readyForPrompt(6_200)).toBe(true);
  });
  it('does not end what goes on in the background', () => {
    const { tracker, after } = claude();
    after(hookEvent('UserPromptSubmit'), hookEvent('Stop', { backgroundTasks: 1 }));
    tracker.claudeState({ status: 'idle', waitingFor: null, sessionId: null, updatedAtMs: 1_500 });
    expect(tracker.current(2_000).state).toBe('working');
  });

  it('tells of a question no hook told of, and of its answer', () => {
    const { tracker, after } = claude();
    after(hookEvent('UserPromptSubmit'));
    tracker.claudeState({ status: 'waiting', waitingFor: 'input needed', sessionId: null, updatedAtMs: 1_500 });
    expect(tracker.current(2_000)).toEqual({ state: 'waiting', text: 'input needed' });
    tracker.claudeState({ status: 'busy', waitingFor: null, sessionId: null, updatedAtMs: 1_600 });
    expect(tracker.current(2_000).state).toBe('working');
  });
});

it('an interruption that Codex notes ends the turn, an older one does not', () => {
  const tracker = new ActivityTracker('quiet-hooks');
  tracker.setMain(running, 0);
  tracker.hook(hookEvent('UserPromptSubmit'), 5_000);
  tracker.interrupted(4_999);
  expect(tracker.current(6_000).state).toBe('working');
  tracker.interrupted(5_500);
  expect(tracker.current(6_000).state).toBe('ready');
});

describe('the process', () => {
  it('is starting until the CLI speaks, and again after a restart', () => {
    const { tracker, after } = claude();
    expect(tracker.current(60_000).state).toBe('starting');
    expect(after(hookEvent('UserPromptSubmit')).state).toBe('working');
    tracker.setMain({ ...running, pid: 21, startedAt: '2026-01-01T00:01:00.000Z', restarts: 1 }, 5_000);
    expect(tracker.current(5_000).state).toBe('starting');
  });

  describe('of a CLI whose hooks are silent before the first prompt', () => {
    const quiet = () => {
      const tracker = new ActivityTracker('quiet-hooks');
      tracker.setMain(running, 0);
      return tracker;
    };

    it('is ready a moment after it asked for marked pastes, and again after a restart', () => {
      const tracker = quiet();
      tracker.pasteMode(true, 8_000);
      tracker.pasteMode(true, 8_300);
      expect(tracker.current(8_000 + SETTLE_MS - 1).state).toBe('starting');
      expect(tracker.current(8_000 + SETTLE_MS).state).toBe('ready');
      tracker.setMain({ ...running, pid: 21 }, 20_000);
      expect(tracker.current(20_000 + SETTLE_MS).state).toBe('starting');
    });

    it('is ready after a while when it never asks', () => {
      const tracker = quiet();
      tracker.pasteMode(true, 1_000);
      tracker.pasteMode(false, 1_300);
      expect(tracker.current(QUIET_READY_MS - 1).state).toBe('starting');
      expect(tracker.current(QUIET_READY_MS).state).toBe('ready');
    });

    it('takes no prompt in the first moment after its start, but shows that it is there', () => {
      const tracker = new ActivityTracker('hooks');
      tracker.setMain(running, 0);
      expect(tracker.current(QUIET_READY_MS - 1).state).toBe('starting');
      tracker.hook(hookEvent('SessionStart', { source: 'startup' }), 8_000);
      expect(tracker.current(8_000).state).toBe('ready');
      expect(tracker.readyForPrompt(8_000 + SETTLE_MS - 1)).toBe(false);
      expect(tracker.readyForPrompt(8_000 + SETTLE_MS)).toBe(true);
    });

    it('is asked about only until it speaks', () => {
      const tracker = quiet();
      expect(tracker.isUnheard).toBe(true);
      tracker.hook(hookEvent('UserPromptSubmit'), 5_000);
      expect(tracker.isUnheard).toBe(false);
    });
  });

  it('of a shell is ready at once', () => {
    const tracker = new ActivityTracker('none');
    tracker.setMain(running, 0);
    expect(tracker.current(0).state).toBe('ready');
  });

  it.each([
    [{ running: false, gaveUp: true, exit: { code: 1, signal: null } }, 'crashed'],
    [{ running: false, gaveUp: true, exit: { code: 0, signal: null } }, 'ended'],
    [{ running: false, gaveUp: false, restarts: 2, exit: { code: 1, signal: null } }, 'starting'],
  ] as const)('ended: %o', (change, state) => {
    const tracker = new ActivityTracker('claude');
    tracker.setMain({ ...running, ...change }, 0);
    expect(tracker.current(0).state).toBe(state);
  });
});

it('texts are one line without anything that could mislead', () => {
  expect(oneLine('a\u001b[31m\tb\n\u202ec')).toBe('a [31m b c');
  expect(oneLine('x'.repeat(500))).toHaveLength(200);
});
