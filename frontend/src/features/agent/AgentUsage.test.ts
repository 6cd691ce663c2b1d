import { afterEach, describe, expect, it, vi } from 'vitest';
import { mountPage, answerRequests } from '../../testing/mount-page.ts';
import AgentUsage from './AgentUsage.vue';

const GIB = 2 ** 30;
const measured = {
  cpu: 0.4211,
  cpuLimit: 2,
  memoryBytes: 1.1 * GIB,
  memoryLimitBytes: 4 * GIB,
  measuredAt: '2026-11-21T12:00:00.000Z',
};

describe('what an agent takes', () => {
  afterEach(() => {
    vi.unstubAllGlobals();
    document.body.replaceChildren();
  });

  const shown = async (usage: unknown) => {
    const seen = answerRequests(({ path }) => (path === '/api/agents/7/usage' ? { body: { usage } } : undefined));
    const { page } = await mountPage(AgentUsage, { agentId: '7' });
    await vi.waitFor(() => expect(seen.some(({ path }) => path === '/api/agents/7/usage')).toBe(true));
    return page;
  };

  it('stands beside its limits', async () => {
    const page = await shown(measured);
    await vi.waitFor(() => expect(page.text()).toContain('0.42 of 2 cores'));
    expect(page.text()).toContain('1.1 GiB of 4 GiB');
    expect(page.find('.warn').exists()).toBe(false);
    page.unmount();
  });

  it('is marked where it is nearly all', async () => {
    const page = await shown({ ...measured, memoryBytes: 3.7 * GIB });
    await vi.waitFor(() => expect(page.find('.warn').text()).toBe('3.7 GiB of 4 GiB'));
    page.unmount();
  });

  it('stands alone where there is no limit', async () => {
    const page = await shown({ ...measured, cpu: 1, cpuLimit: null, memoryLimitBytes: null });
    await vi.waitFor(() => expect(page.findAll('dd').map((each) => each.text())).toEqual(['1 core', '1.1 GiB']));
    page.unmount();
  });

  it('is not mentioned where nobody measures', async () => {
    const page = await shown(null);
    expect(page.text()).toBe('');
    page.unmount();
  });
});
