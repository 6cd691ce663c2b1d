import { reconnectDelayMs } from '@sac/contracts';
import { describe, expect, it } from 'vitest';
import { transition, SETTLED_AFTER_MS, type MachineEvent, type MachineState } from './connection-machine.ts';
import { fullHouse, judgeClose, judgeTicketFailure, type Verdict } from './reconnect-policy.ts';
import { StreamPosition } from './stream-position.ts';

const lost: MachineEvent = { type: 'failed', verdict: { kind: 'retry', minimumDelayMs: 0 } };
const run = (state: MachineState, event: MachineEvent, now = 1_000, random = 0.5) =>
  transition(state, event, now, random);

describe('retry delay', () => {
  const waits = (random: number) =>
    [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 100].map((attempt) => reconnectDelayMs(attempt, random));

  it('grows to 15 s, slowly while a restart may still be over in a moment', () => {
    expect(waits(1)).toEqual([250, 500, 500, 500, 500, 500, 500, 750, 1_000, 2_000, 4_000, 8_000, 15_000, 15_000]);
  });

  it('is spread from nothing for the first attempt, and from half of the longest for those after it', () => {
    expect(waits(0)).toEqual([0, 250, 250, 250, 250, 250, 250, 375, 500, 1_000, 2_000, 4_000, 7_500, 7_500]);
    expect([1, 2, 13].map((attempt) => reconnectDelayMs(attempt, 0.5))).toEqual([125, 375, 11_250]);
  });
});

describe('state machine', () => {
  it('opens, lives, loses, comes back', () => {
    const opening = run({ phase: 'idle' }, { type: 'connect' });
    expect(opening).toEqual({ state: { phase: 'opening' }, command: 'attempt' });
    const live = run(opening.state, { type: 'established' });
    expect(live.state.phase).toBe('live');
    const waiting = run(live.state, lost, 2_000);
    expect(waiting).toEqual({ state: { phase: 'reconnecting', attempt: 1, retryAt: 2_125 }, command: 'wait' });
    const trying = run(waiting.state, { type: 'due' });
    expect(trying).toEqual({ state: { phase: 'reconnecting', attempt: 1, retryAt: null }, command: 'attempt' });
    expect(run(trying.state, lost).state).toMatchObject({ attempt: 2 });
    expect(run(trying.state, { type: 'established' }).state.phase).toBe('live');
  });

  it('tries at once when the page is back, but only what waits', () => {
    expect(run({ phase: 'reconnecting', attempt: 4, retryAt: 9_000 }, { type: 'nudge' }).command).toBe('attempt');
    for (const state of [
      { phase: 'idle' },
      { phase: 'opening' },
      { phase: 'ended' },
      { phase: 'reconnecting', attempt: 1, retryAt: null },
    ] as const) {
      expect(run(state, { type: 'nudge' }).command).toBe('none');
    }
  });

  it('keeps growing the delay while connections do not last', () => {
    const live = run({ phase: 'reconnecting', attempt: 5, retryAt: null }, { type: 'established' }, 0).state;
    expect(run(live, lost, SETTLED_AFTER_MS - 1).state).toMatchObject({ attempt: 6 });
    expect(run(live, lost, SETTLED_AFTER_MS).state).toMatchObject({ attempt: 1 });
  });

  it('stays ended or refused until somebody connects again', () => {
    const ended = run({ phase: 'opening' }, { type: 'failed', verdict: { kind: 'ended' } });
    expect(ended).toEqual({ state: { phase: 'ended' }, command: 'stop' });
    for (const event of [lost, { type: 'due' }, { type: 'nudge' }, { type: 'established' }] as const)
      expect(run(ended.state, event).command).toBe('none');
    expect(run(ended.state, { type: 'connect' }).state.phase).toBe('opening');
    expect(run(ended.state, { type: 'reconnect' }).state.phase).toBe('opening');
  });

  it('gives up what is open when asked to reconnect', () => {
    expect(run({ phase: 'live', since: 0, earlierAttempts: 0 }, { type: 'reconnect' })).toMatchObject({
      state: { phase: 'reconnecting', retryAt: null },
      command: 'attempt',
    });
  });

  it('ignores failures that belong to nothing', () => {
    expect(run({ phase: 'reconnecting', attempt: 1, retryAt: 5_000 }, lost).command).toBe('none');
    expect(run({ phase: 'idle' }, lost).command).toBe('none');
  });
});

describe('verdicts', () => {
  const failure = (code: string, details?: { retryAfterSeconds?: number }) =>
    judgeTicketFailure({ code, message: 'm', requestId: 'r', details });
  it.each(['asleep', 'not_ready', 'not_found', 'forbidden', 'isolation_unavailable', 'unauthenticated'])(
    'a ticket request answered %s is final',
    (code) => {
      expect(failure(code)).toEqual({ kind: 'refused', refusal: { code, message: 'm', requestId: 'r' } });
    },
  );
  it.each(['network', 'timeout', 'unavailable', 'database_unavailable', 'internal', 'generation_replaced'])(
    '%s passes',
    (code) => {
      expect(failure(code).kind).toBe('retry');
    },
  );
  it('waits as long as the server asks', () => {
    expect(failure('rate_limited', { retryAfterSeconds: 7 })).toEqual({ kind: 'retry', minimumDelayMs: 7_000 });
  });
  it.each<[number, Verdict['kind']]>([
    [1000, 'ended'],
    [1008, 'refused'],
    [4004, 'refused'],
    [4001, 'refused'],
    [4010, 'retry'],
    [1006, 'retry'],
    [1012, 'retry'],
    [1013, 'retry'],
    [1009, 'retry'],
  ])('close %i: %s', (code, kind) => {
    expect(judgeClose(code, '').kind).toBe(kind);
  });
});

describe('a server that asks to try later', () => {
  const asks = (reason: string): MachineEvent => ({ type: 'failed', verdict: judgeClose(1013, reason) });
  const reasonIn = (state: MachineState) => (state.phase === 'reconnecting' ? state.reason : null);

  it('is heard for as long as it says so, and tried again', () => {
    const waiting = run({ phase: 'opening' }, asks('32 viewers, the limit is 32'));
    expect(waiting).toEqual({
      state: { phase: 'reconnecting', attempt: 1, retryAt: 2_000, reason: '32 viewers, the limit is 32' },
      command: 'wait',
    });
    const trying = run(waiting.state, { type: 'due' });
    expect(reasonIn(trying.state)).toBe('32 viewers, the limit is 32');
    expect(reasonIn(run(waiting.state, { type: 'reconnect' }).state)).toBe('32 viewers, the limit is 32');
    expect(reasonIn(run(trying.state, asks('the screen could not be read; try again')).state)).toBe(
      'the screen could not be read; try again',
    );
    expect(reasonIn(run(trying.state, lost).state)).toBeUndefined();
  });

  it('names a terminal that has all its viewers', () => {
    expect(fullHouse('32 viewers, the limit is 32')).toEqual({ viewers: 32, limit: 32 });
    expect(fullHouse('the screen could not be read; try again')).toBeNull();
  });
});

describe('place in the stream', () => {
  const size = { columns: 80, rows: 24 };
  it('asks for nothing first and then for what is missing', () => {
    const position = new StreamPosition();
    expect(position.resumeFrom).toEqual({});
    position.sync({ stream: 's', offset: 100, kind: 'snapshot', ...size });
    expect(position.resumeFrom).toEqual({});
    position.note('snapshot');
    expect(position.resumeFrom).toEqual({});
    position.note('output');
    position.receive(10);
    expect(position.resumeFrom).toEqual({ stream: 's', offset: 110 });
    expect(position.sync({ stream: 's', offset: 110, kind: 'resume', ...size })).toBe(true);
  });

  it('does not go on from a snapshot that was cut', () => {
    const position = new StreamPosition();
    position.sync({ stream: 's', offset: 5, kind: 'snapshot', ...size });
    position.note('other');
    expect(position.resumeFrom).toEqual({});
    position.note('snapshot');
    expect(position.resumeFrom).toEqual({});
    position.note('other');
    expect(position.resumeFrom).toEqual({ stream: 's', offset: 5 });
  });

  it.each([
    ['another offset', { stream: 's', offset: 9 }],
    ['another stream', { stream: 't', offset: 0 }],
  ])('refuses to go on at %s', (_name, at) => {
    const position = new StreamPosition();
    position.sync({ stream: 's', offset: 0, kind: 'snapshot', ...size });
    position.note('output');
    expect(position.sync({ ...at, kind: 'resume', ...size })).toBe(false);
  });

  it('acknowledges only what was parsed of this stream', () => {
    const position = new StreamPosition();
    position.sync({ stream: 's', offset: 0, kind: 'snapshot', ...size });
    const end = position.receive(50);
    position.sync({ stream: 't', offset: 1_000, kind: 'snapshot', ...size });
    position.process('s', end);
    expect(position.processed).toBe(1_000);
    position.process('t', position.receive(7));
    expect(position.processed).toBe(1_007);
    position.process('t', 99_999);
    expect(position.processed).toBe(1_007);
  });
});
