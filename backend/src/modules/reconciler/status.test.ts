import { describe, expect, it } from 'vitest';
import { sandboxReport } from '../../../test/agents.ts';
import type { ObservedSandbox } from '../../runtimes/runtime.ts';
import { currentReport, deriveStatus, type StatusInput } from './status.ts';

const failure = { code: 'cli_install_failed', reason: 'No network.', fix: 'Check it.', output: null };
const sandbox = (changes: Partial<ObservedSandbox> = {}): ObservedSandbox => ({
  agentUid: 'u',
  generation: 3,
  specHash: 'h',
  state: 'running',
  since: new Date('2026-11-21T10:00:00Z'),
  failure: null,
  upstream: null,
  phases: [{ name: 'ready', state: 'done', startedAt: null, durationMs: 1, detail: null, progress: null }],
  ...changes,
});
const wanted: StatusInput['wanted'] = {
  desired: 'awake',
  desiredChangedAt: new Date('2026-11-21T09:00:00Z'),
  startFailedAt: null,
  generation: 3,
  deletedAt: null,
  ownerActive: true,
  mayRun: true,
  startFailure: null,
};
const saying = (state: 'starting' | 'ready' | 'working' | 'waiting' | 'ended' | 'crashed', changes = {}) => ({
  generation: 3,
  report: sandboxReport({ activity: { state, since: '2026-11-21T11:00:00.000Z', text: 'Bash: npm test' }, ...changes }),
});
const input = (changes: Partial<StatusInput> = {}): StatusInput => ({
  wanted,
  observed: sandbox(),
  report: saying('ready'),
  configurationChanged: false,
  isolation: { isolated: true, reason: null, fix: null },
  ...changes,
});
const crash = (gaveUp: boolean) => ({ crash: { exitCode: 1, signal: null, restarts: 5, gaveUp, output: 'boom' } });

const cases: readonly [string, Partial<StatusInput>, object][] = [
  [
    'asleep',
    { wanted: { ...wanted, desired: 'asleep' }, observed: undefined },
    { state: 'asleep', since: '2026-11-21T09:00:00.000Z' },
  ],
  ['stopping', { wanted: { ...wanted, desired: 'asleep' } }, { state: 'stopping' }],
  [
    'asleep: the account is disabled',
    { wanted: { ...wanted, ownerActive: false }, observed: undefined },
    { state: 'asleep' },
  ],
  ['starting: nothing there yet', { observed: undefined }, { state: 'starting', failure: null }],
  ['starting: the old one is still going', { observed: sandbox({ state: 'stopping' }) }, { state: 'starting' }],
  ['starting: an older generation is being replaced', { observed: sandbox({ generation: 2 }) }, { state: 'starting' }],
  [
    'starting: the runtime is at it',
    { observed: sandbox({ state: 'starting' }) },
    { state: 'starting', since: '2026-11-21T10:00:00.000Z' },
  ],
  ['starting: nothing said yet', { report: null }, { state: 'starting', phases: [{ name: 'ready', state: 'active' }] }],
  [
    'starting: what was said was of an older sandbox',
    { report: { ...saying('working'), generation: 2 } },
    { state: 'starting', activity: null },
  ],
  ['starting: the CLI begins', { report: saying('starting') }, { state: 'starting' }],
  [
    'ready',
    {},
    { state: 'ready', since: '2026-11-21T11:00:00.000Z', failure: null, phases: [{ name: 'ready', state: 'done' }] },
  ],
  ['working', { report: saying('working') }, { state: 'working', activity: 'Bash: npm test' }],
  ['waiting', { report: saying('waiting') }, { state: 'waiting' }],
  ['starting: the CLI ended and comes again', { report: saying('ended') }, { state: 'starting' }],
  [
    'starting: the CLI crashed and comes again',
    { report: saying('crashed', crash(false)) },
    { state: 'starting', failure: null },
  ],
  [
    'failed: the CLI crashed too often',
    { report: saying('crashed', crash(true)) },
    { state: 'failed', failure: { code: 'cli_crash_loop', output: 'boom' } },
  ],
  ['failed: the runtime says why', { observed: sandbox({ state: 'failed', failure }) }, { state: 'failed', failure }],
  [
    'failed: the runtime does not say why',
    { observed: sandbox({ state: 'failed' }) },
    { state: 'failed', failure: { code: 'sandbox_start_failed' } },
  ],
  [
    'failed: it could not be started',
    { wanted: { ...wanted, startFailure: failure }, observed: undefined },
    { state: 'failed', failure, since: '2026-11-21T09:00:00.000Z' },
  ],
  [
    'failed: it could not be started, long after it was wanted',
    {
      wanted: { ...wanted, startFailure: failure, startFailedAt: new Date('2026-11-21T12:00:00Z') },
      observed: undefined,
    },
    { state: 'failed', failure, since: '2026-11-21T12:00:00.000Z' },
  ],
  [
    'failed: it may not run here',
    {
      wanted: { ...wanted, mayRun: false },
      observed: undefined,
      isolation: { isolated: false, reason: 'No bwrap.', fix: 'Install bwrap.' },
    },
    {
      state: 'failed',
      isolated: false,
      failure: { code: 'isolation_unavailable', reason: 'No bwrap.', fix: 'Install bwrap.' },
    },
  ],
];

describe('status of an agent', () => {
  it.each(cases)('%s', (_name, changes, expected) => {
    expect(deriveStatus(input(changes))).toMatchObject(expected);
  });

  it('asks for a restart only of what runs with an older configuration', () => {
    const changed = { configurationChanged: true };
    expect(deriveStatus(input(changed)).restartRequired).toBe(true);
    expect(deriveStatus(input({ ...changed, observed: sandbox({ state: 'starting' }) })).restartRequired).toBe(true);
    expect(deriveStatus(input({ ...changed, observed: sandbox({ generation: 2 }) })).restartRequired).toBe(false);
    expect(deriveStatus(input({ ...changed, observed: undefined })).restartRequired).toBe(false);
    expect(deriveStatus(input({ ...changed, wanted: { ...wanted, desired: 'asleep' } })).restartRequired).toBe(false);
  });

  it('can be reached when the sandbox that is wanted runs, before its CLI is ready', () => {
    const upstream = { kind: 'unix', path: '/run/t.sock' } as const;
    const running = { observed: sandbox({ upstream }), report: null };
    expect(deriveStatus(input(running))).toMatchObject({ state: 'starting', reachable: true });
    expect(deriveStatus(input({ observed: sandbox({ state: 'starting' }) })).reachable).toBe(false);
    expect(deriveStatus(input({ observed: sandbox({ upstream, generation: 2 }) })).reachable).toBe(false);
    expect(deriveStatus(input({ ...running, wanted: { ...wanted, desired: 'asleep' } })).reachable).toBe(false);
    expect(deriveStatus(input({ observed: undefined })).reachable).toBe(false);
  });

  it('takes a report only from the sandbox that runs and is wanted', () => {
    expect(currentReport(input())).not.toBeNull();
    expect(currentReport(input({ observed: sandbox({ state: 'stopping' }) }))).toBeNull();
    expect(currentReport(input({ wanted: { ...wanted, generation: 4 } }))).toBeNull();
    expect(currentReport(input({ wanted: { ...wanted, desired: 'asleep' } }))).toBeNull();
  });
});
