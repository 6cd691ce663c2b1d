import { describe, expect, it } from 'vitest';
import { demoModelCheck, diskCheck, proxyCheck } from './health.ts';

const GIGABYTE = 1024 ** 3;

describe('the disk', () => {
  it('is the one that holds the data', async () => {
    const { detail } = await diskCheck(import.meta.dirname).check();
    expect(detail).toMatch(/^\d+\.\d GB of [1-9]\d*\.\d GB are free in \//);
  });

  it.each([
    [10, 'ok', null],
    [1, 'warning', 'Free some space'],
    [0.1, 'failed', 'Free some space'],
  ] as const)('with %s GB free is %s', async (free, state, fix) => {
    const read = async () => ({ freeBytes: free * GIGABYTE, totalBytes: 100 * GIGABYTE });
    const result = await diskCheck('/data', read).check();
    expect(result.state).toBe(state);
    if (fix === null) expect(result.fix).toBeNull();
    else expect(result.fix).toContain(fix);
  });

  it('that is gone is a finding, not a crash', async () => {
    await expect(diskCheck('/does/not/exist').check()).rejects.toThrow('ENOENT');
  });
});

describe('the terminal proxy', () => {
  const check = (text: string | null, restarts = 0) =>
    proxyCheck({ metrics: async () => text, status: { state: 'running', pid: 1, restarts } }).check();

  it('is well when it answers, and says how many terminals are open', async () => {
    expect(await check('sac_ws_connections 4\n')).toEqual({
      state: 'ok',
      detail: '4 terminal connections.',
      fix: null,
    });
  });

  it('that does not answer has failed', async () => {
    expect(await check(null)).toMatchObject({ state: 'failed', fix: expect.stringContaining('SVC=ws') as string });
  });

  it('that keeps ending is a warning', async () => {
    expect(await check('sac_ws_connections 0\n', 3)).toMatchObject({
      state: 'warning',
      detail: expect.stringContaining('3 times') as string,
    });
  });
});

describe('the demo model', () => {
  it('is well while it runs', async () => {
    const url = 'http://127.0.0.1:1';
    expect((await demoModelCheck({ state: 'running', url }).check()).state).toBe('ok');
    expect((await demoModelCheck({ state: 'restarting', url }).check()).fix).toContain('SVC=demo');
  });
});
