import { describe, expect, it } from 'vitest';
import { explainAwake, type IdleEvidence } from './policy.ts';

const NOW_MS = Date.parse('2026-05-05T12:00:00Z');
const ago = (minutes: number): Date => new Date(NOW_MS - minutes * 60_000);
const shell = (busy?: boolean, name = 'shell-1') => ({
  name,
  title: name,
  running: true,
  viewers: 0,
  exit: null,
  ...(busy !== undefined && { busy }),
});

/** Nothing holds it awake. */
const idle: IdleEvidence = {
  desired: 'awake',
  desiredChangedAt: ago(500),
  sleptBecause: null,
  status: { state: 'ready', since: ago(61).toISOString(), activity: null },
  cli: 'claude-code',
  terminals: [shell(true, 'main'), shell(false)],
  openPrompts: 0,
  keepAwakeUntil: null,
  presentAt: ago(61),
  idleMinutes: 60,
};
const explain = (change: Partial<IdleEvidence>) => explainAwake({ ...idle, ...change }, NOW_MS);
const status = (state: IdleEvidence['status']['state'], activity: string | null = null) => ({
  status: { state, since: ago(90).toISOString(), activity },
});

describe('an agent', () => {
  it('falls asleep when it has nothing to do and nobody was there', () => {
    expect(explain({})).toMatchObject({ code: 'idle', since: ago(61).toISOString(), idleMinutes: 60 });
  });

  it.each<[string, Partial<IdleEvidence>, object]>([
    [
      'while it works, however long',
      status('working', 'Bash: npm test'),
      { code: 'working', detail: 'Bash: npm test' },
    ],
    ['while it waits for an answer', status('waiting', 'allow Bash?'), { code: 'waiting', detail: 'allow Bash?' }],
    ['while it starts', status('starting'), { code: 'starting' }],
    ['when it has failed', status('failed'), { code: 'failed' }],
    ['with a message in its queue', { openPrompts: 2 }, { code: 'queued_prompts', detail: '2' }],
    ['with a program in a shell', { terminals: [shell(true)] }, { code: 'foreground_job', detail: 'shell-1' }],
    ['when an older sandbox does not say what its shell does', { terminals: [shell()] }, { code: 'foreground_job' }],
    [
      'with a program in the main terminal of a plain shell',
      { cli: 'shell', terminals: [shell(true, 'main')] },
      { code: 'foreground_job', detail: 'main' },
    ],
    [
      'while somebody keeps it awake',
      { keepAwakeUntil: ago(-5) },
      { code: 'kept_awake', until: ago(-5).toISOString() },
    ],
    ['when it never sleeps', { idleMinutes: 0 }, { code: 'never_sleeps' }],
    ['when somebody was there', { presentAt: ago(59) }, { code: 'present', until: ago(-1).toISOString() }],
    [
      'for a while after work that nobody watched',
      { status: { state: 'ready', since: ago(1).toISOString(), activity: null } },
      { code: 'present', until: ago(-59).toISOString() },
    ],
  ])('stays awake %s', (_what, change, expected) => {
    expect(explain(change)).toMatchObject(expected);
  });

  it('is not held by what has ended', () => {
    expect(explain({ terminals: [{ ...shell(true), running: false }], keepAwakeUntil: ago(1) }).code).toBe('idle');
  });

  it.each([
    ['person', 'slept_by_person'],
    ['idle', 'slept_idle'],
    [null, 'asleep'],
  ] as const)('says why it sleeps: %s', (sleptBecause, code) => {
    expect(explain({ desired: 'asleep', sleptBecause, ...status('asleep') })).toMatchObject({
      code,
      since: ago(500).toISOString(),
    });
  });
});
