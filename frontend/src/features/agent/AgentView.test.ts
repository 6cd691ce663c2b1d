import type { Agent } from '@sac/contracts';
import { flushPromises } from '@vue/test-utils';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { useAgentsStore } from '../../stores/agents.ts';
import { agentFixture } from '../../testing/agent-fixture.ts';
import { initialStatus } from '../../terminal/status.ts';
import { mountPage, refusal, answerRequests, type Rule } from '../../testing/mount-page.ts';
import AgentPage from './AgentPage.vue';

const session = { id: '3', agentId: '7', openedAt: '2026-11-21T12:00:00Z', lastActiveAt: '2026-11-21T12:00:00Z' };
const server = (agent: Agent, ...rules: Rule[]) =>
  answerRequests(...rules, ({ method, path }) => {
    if (path === '/api/agents' && method === 'GET') return { body: { agents: [agent], limit: 10 } };
    if (path === '/api/sessions') return { status: 201, body: { session, agent } };
    return undefined;
  });
const open = async () => {
  const { page, router } = await mountPage(AgentPage, { agentId: '7' });
  const find = (testid: string) => page.find(`[data-testid="${testid}"]`);
  return { page, router, find };
};
/** Code that a page loads when it is needed may come late on a busy machine. */
const LOADS_WITHIN = { timeout: 10_000 };
/** Pages that follow each other quickly look like leafing through the list, which opens after a pause. */
const opened = (seen: ReturnType<typeof server>) =>
  vi.waitFor(async () => {
    expect(asked(seen, 'POST', '/api/sessions')).toBe(1);
    await flushPromises();
  }, LOADS_WITHIN);
const asked = (seen: ReturnType<typeof server>, method: string, path: string) =>
  seen.filter((request) => request.method === method && request.path === path).length;

describe('agent page', () => {
  beforeEach(() => {
    localStorage.clear();
    sessionStorage.clear();
  });
  afterEach(() => {
    vi.unstubAllGlobals();
    document.body.replaceChildren();
  });

  it('opens a session, shows the phases of the start and closes the session on leaving', async () => {
    const phase = {
      name: 'pulling',
      state: 'active',
      startedAt: new Date().toISOString(),
      durationMs: null,
      detail: '1 of 2 MB',
      progress: null,
    } as const;
    const seen = server(agentFixture({ state: 'starting', phases: [phase] }));
    const { page, find } = await open();
    await opened(seen);
    expect(find('starting-panel').text()).toContain('1 of 2 MB');
    expect(find('state-pill').attributes('data-state')).toBe('starting');
    page.unmount();
    await flushPromises();
    expect(asked(seen, 'DELETE', '/api/sessions/3')).toBe(1);
  });

  it('connects the terminal under the panel as soon as it can be reached', async () => {
    const seen = server(agentFixture({ state: 'starting', reachable: true }));
    const { page, find } = await open();
    await opened(seen);
    await vi.waitFor(() => expect(find('terminal').exists()).toBe(true), LOADS_WITHIN);
    expect(find('starting-panel').exists()).toBe(true);
    expect(find('terminal').element.closest('.out')).not.toBeNull();
    useAgentsStore().apply({ type: 'agent', agent: agentFixture({ state: 'ready' }) });
    await flushPromises();
    expect(find('starting-panel').exists()).toBe(false);
    expect(find('terminal').element.closest('.out')).toBeNull();
    page.unmount();
  });

  it('opens another session when its own has ended while nobody was there', async () => {
    const seen = server(agentFixture());
    const { page, find } = await open();
    await opened(seen);
    await vi.waitFor(() => expect(find('terminal').exists()).toBe(true), LOADS_WITHIN);
    const refused = { code: 'not_found', message: 'This session does not exist.', requestId: 'r' };
    const area = page.findComponent({ name: 'TerminalArea' });
    area.vm.$emit('status', { ...initialStatus, phase: 'refused', refusal: refused });
    await flushPromises();
    expect(asked(seen, 'POST', '/api/sessions')).toBe(2);
    area.vm.$emit('status', initialStatus);
    await flushPromises();
    area.vm.$emit('status', { ...initialStatus, phase: 'refused', refusal: refused });
    await flushPromises();
    expect(asked(seen, 'POST', '/api/sessions')).toBe(2);
    page.unmount();
  });

  it('waits with the terminal while nothing can be reached', async () => {
    const seen = server(agentFixture({ state: 'starting' }));
    const { page, find } = await open();
    await opened(seen);
    await flushPromises();
    expect(find('terminal').exists()).toBe(false);
    page.unmount();
  });

  it('shows a failure with reason, fix and output, and starts again only when asked', async () => {
    const failure = {
      code: 'cli_crash_loop',
      reason: 'It ended 5 times.',
      fix: 'Correct the setting.',
      output: 'boom',
    };
    const failed = agentFixture({ state: 'failed', failure });
    const seen = server(failed, ({ path }) =>
      path.endsWith('/restart')
        ? { status: 202, body: agentFixture({ state: 'starting' }, { generation: 2 }) }
        : undefined,
    );
    const { page, find } = await open();
    expect(asked(seen, 'POST', '/api/sessions')).toBe(0);
    for (const words of ['It ended 5 times.', 'Correct the setting.', 'boom'])
      expect(find('failed-panel').text()).toContain(words);
    await find('retry').trigger('click');
    await flushPromises();
    expect(asked(seen, 'POST', '/api/agents/7/restart')).toBe(1);
    expect(find('starting-panel').exists()).toBe(true);
    page.unmount();
  });

  it('offers to wake an agent that fell asleep', async () => {
    const seen = server(agentFixture({ state: 'asleep' }));
    const { page, find } = await open();
    await opened(seen);
    expect(find('asleep-panel').exists()).toBe(true);
    await find('wake').trigger('click');
    await flushPromises();
    expect(asked(seen, 'POST', '/api/sessions')).toBe(2);
    expect(asked(seen, 'DELETE', '/api/sessions/3')).toBe(1);
    page.unmount();
  });

  it('says why an agent cannot be opened and keeps the input bar', async () => {
    const seen = server(agentFixture({ state: 'asleep' }), ({ path }) =>
      path === '/api/sessions' ? refusal(403, 'isolation_unavailable') : undefined,
    );
    const { page, find } = await open();
    await opened(seen);
    expect(page.text()).toContain('Told so.');
    expect(find('prompt-input').exists()).toBe(true);
    page.unmount();
  });

  it('follows events', async () => {
    const seen = server(agentFixture({ state: 'starting' }));
    const { page, find } = await open();
    await opened(seen);
    useAgentsStore().apply({
      type: 'agent',
      agent: agentFixture({ state: 'failed', failure: { code: 'x', reason: 'Gone.', fix: 'Wait.', output: null } }),
    });
    await flushPromises();
    expect(find('failed-panel').text()).toContain('Gone.');
    page.unmount();
  });

  it('says so when there is no such agent', async () => {
    answerRequests();
    const { page, find } = await open();
    expect(find('agent-missing').exists()).toBe(true);
    page.unmount();
  });
});
