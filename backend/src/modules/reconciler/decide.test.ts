import { describe, expect, it } from 'vitest';
import type { ObservedSandbox } from '../../runtimes/runtime.ts';
import { DELETION_GRACE_MS, UNDO_WINDOW_MS } from '../agents/lifetimes.ts';
import { decide, type Decision, type Wanted } from './decide.ts';

const nowMs = Date.parse('2026-11-21T12:00:00Z');
const awake: Wanted = {
  desired: 'awake',
  generation: 3,
  deletedAt: null,
  ownerActive: true,
  mayRun: true,
  startFailure: null,
};
const sandbox = (changes: Partial<ObservedSandbox> = {}): ObservedSandbox => ({
  agentUid: 'u',
  generation: 3,
  specHash: 'h',
  state: 'running',
  since: new Date(nowMs),
  phases: [],
  failure: null,
  upstream: null,
  ...changes,
});
const deleted = (agoMs: number): Wanted => ({ ...awake, deletedAt: new Date(nowMs - agoMs) });
const failure = { code: 'x', reason: 'r', fix: 'f', output: null };

const cases: readonly [string, Wanted, ObservedSandbox | undefined, Decision][] = [
  ['starts what should be awake and is not there', awake, undefined, { action: 'start', generation: 4 }],
  ['starts what should be awake and has gone', awake, sandbox({ state: 'gone' }), { action: 'start', generation: 4 }],
  ['does not disturb what runs', awake, sandbox(), { action: 'none' }],
  ['does not disturb what runs an older configuration', awake, sandbox({ specHash: 'older' }), { action: 'none' }],
  ['does not start twice', awake, sandbox({ state: 'starting' }), { action: 'none' }],
  ['waits until a stop is over before starting again', awake, sandbox({ state: 'stopping' }), { action: 'none' }],
  ['leaves a failed sandbox to the person', awake, sandbox({ state: 'failed' }), { action: 'none' }],
  ['replaces an older generation', awake, sandbox({ generation: 2 }), { action: 'ensure' }],
  ['replaces a failed older generation', awake, sandbox({ generation: 2, state: 'failed' }), { action: 'ensure' }],
  [
    'goes beyond a generation the database has forgotten',
    awake,
    sandbox({ generation: 9 }),
    { action: 'start', generation: 10 },
  ],
  ['does not retry a failed start by itself', { ...awake, startFailure: failure }, undefined, { action: 'none' }],
  ['stops what should sleep', { ...awake, desired: 'asleep' }, sandbox(), { action: 'stop' }],
  [
    'stops what failed and should sleep',
    { ...awake, desired: 'asleep' },
    sandbox({ state: 'failed' }),
    { action: 'stop' },
  ],
  ['does not stop twice', { ...awake, desired: 'asleep' }, sandbox({ state: 'stopping' }), { action: 'none' }],
  ['leaves the sleeping asleep', { ...awake, desired: 'asleep' }, undefined, { action: 'none' }],
  ['stops agents of a disabled account', { ...awake, ownerActive: false }, sandbox(), { action: 'stop' }],
  ['starts nothing that may not run', { ...awake, mayRun: false }, undefined, { action: 'none' }],
  ['stops what may not run', { ...awake, mayRun: false }, sandbox(), { action: 'stop' }],
  [
    'lets a deleted agent run while undo is offered',
    deleted(1_000),
    sandbox(),
    { action: 'none', recheckAfterMs: UNDO_WINDOW_MS - 1_000 },
  ],
  [
    'starts nothing for a deleted agent',
    deleted(1_000),
    undefined,
    { action: 'none', recheckAfterMs: UNDO_WINDOW_MS - 1_000 },
  ],
  ['stops a deleted agent when undo is over', deleted(UNDO_WINDOW_MS), sandbox(), { action: 'stop' }],
  [
    'keeps the files of a deleted agent',
    deleted(UNDO_WINDOW_MS),
    undefined,
    { action: 'none', recheckAfterMs: DELETION_GRACE_MS - UNDO_WINDOW_MS },
  ],
  ['removes a deleted agent after the grace period', deleted(DELETION_GRACE_MS), undefined, { action: 'remove' }],
  ['removes it also when it still runs', deleted(DELETION_GRACE_MS), sandbox(), { action: 'remove' }],
];

describe('decide', () => {
  it.each(cases)('%s', (_name, wanted, observed, expected) => {
    expect(decide(wanted, observed, nowMs)).toEqual(expected);
  });
});
