import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { answerRequests, mountPage } from '../testing/mount-page.ts';
import { initialStatus, type TerminalStatus } from './status.ts';
import TerminalOverlay from './TerminalOverlay.vue';

const show = async (part: Partial<TerminalStatus>): Promise<string> => {
  const retryAt = Date.now() + 9_500;
  const status = { ...initialStatus, phase: 'reconnecting', attempt: 3, retryAt, ...part } as const;
  const { page } = await mountPage(TerminalOverlay, { status, loadFailed: false, main: true });
  await vi.advanceTimersByTimeAsync(1_000);
  const text = page.get('[data-testid="terminal-overlay"]').text();
  page.unmount();
  return text;
};

describe('what lies over a terminal that reconnects', () => {
  beforeEach(() => {
    vi.useFakeTimers();
    answerRequests();
  });
  afterEach(() => {
    vi.useRealTimers();
    vi.unstubAllGlobals();
  });

  it('names the limit of viewers and what to do, and goes on counting', async () => {
    const text = await show({ retryReason: '32 viewers, the limit is 32' });
    expect(text).toContain('32 windows show this terminal, and 32 is the most. Close one of them.');
    expect(text).toMatch(/Next attempt in \d+ s/);
    expect(text).not.toContain('Connection lost');
  });

  it('shows any other reason as the server gives it', async () => {
    const reason = 'the screen could not be read; try again';
    expect(await show({ retryReason: reason })).toContain(reason);
  });

  it('speaks of a lost connection where there is none', async () => {
    expect(await show({})).toContain('Connection lost');
  });
});
