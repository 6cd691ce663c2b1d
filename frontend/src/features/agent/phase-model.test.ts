import type { StartPhase } from '@sac/contracts';
import { describe, expect, it } from 'vitest';
import { agentFixture } from '../../testing/agent-fixture.ts';
import { failedPhaseRows, phaseRows } from './phase-model.ts';

const at = Date.parse('2026-11-21T12:00:10Z');
const phase = (change: Partial<StartPhase>): StartPhase => ({
  name: 'pulling',
  state: 'pending',
  startedAt: null,
  durationMs: null,
  detail: null,
  progress: null,
  ...change,
});

describe('phaseRows', () => {
  it('counts the active phase up and leaves the others alone', () => {
    const rows = phaseRows(
      [
        phase({ name: 'scheduling', state: 'done', startedAt: '2026-11-21T12:00:00Z', durationMs: 400 }),
        phase({
          state: 'active',
          startedAt: '2026-11-21T12:00:00.400Z',
          progress: { done: 62, total: 100, unit: 'bytes' },
        }),
        phase({ name: 'starting' }),
      ],
      at,
    );
    expect(rows.map((row) => row.elapsedMs)).toEqual([400, 9600, null]);
    expect(rows.map((row) => row.percent)).toEqual([null, 62, null]);
    expect(rows[1]?.remainingMs).toBe(5884);
  });
  it('does not guess early, nor divide by nothing', () => {
    const early = phase({
      state: 'active',
      startedAt: '2026-11-21T12:00:09.500Z',
      progress: { done: 1, total: 100, unit: 'bytes' },
    });
    const empty = phase({
      state: 'active',
      startedAt: '2026-11-21T12:00:00Z',
      progress: { done: 0, total: 0, unit: 'files' },
    });
    expect(phaseRows([early, empty], at)).toMatchObject([
      { percent: 1, remainingMs: null },
      { percent: null, remainingMs: null },
    ]);
  });
});

describe('failedPhaseRows', () => {
  it('shows what was under way as failed, for as long as it took, and nothing that never began', () => {
    const phases = [
      phase({ name: 'scheduling', state: 'done', startedAt: '2026-11-21T12:00:00Z', durationMs: 400 }),
      phase({ name: 'ready', state: 'active', startedAt: '2026-11-21T12:00:04Z' }),
      phase({ name: 'starting' }),
    ];
    const rows = failedPhaseRows(agentFixture({ state: 'failed', since: '2026-11-21T12:00:10Z', phases }));
    expect(rows.map(({ name, state, elapsedMs }) => [name, state, elapsedMs])).toEqual([
      ['scheduling', 'done', 400],
      ['ready', 'failed', 6000],
    ]);
  });
});
