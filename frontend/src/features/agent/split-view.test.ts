import type { Agent } from '@sac/contracts';
import { flushPromises } from '@vue/test-utils';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { defineComponent, h } from 'vue';
import { useRoute } from 'vue-router';
import { useUiStore } from '../../stores/ui.ts';
import { useBeside } from '../../stores/use-beside.ts';
import { agentFixture } from '../../testing/agent-fixture.ts';
import { mountPage, answerRequests } from '../../testing/mount-page.ts';
import AgentPage from './AgentPage.vue';

const agents: readonly Agent[] = ['7', '8'].map((id) => agentFixture({ state: 'asleep' }, { id, name: `Agent ${id}` }));
/** The page at whatever agent the address names, as the router of the product does it. */
const Routed = defineComponent(() => {
  const route = useRoute();
  return () => h(AgentPage, { agentId: String(route.params['agentId']) });
});
const open = async (address: string) => {
  const seen = answerRequests(({ method, path, body }) => {
    if (path === '/api/agents' && method === 'GET') return { body: { agents, limit: 10 } };
    if (path !== '/api/sessions') return undefined;
    const { agentId } = body as { agentId: string };
    const times = { openedAt: '2026-11-21T12:00:00Z', lastActiveAt: '2026-11-21T12:00:00Z' };
    const agent = agents.find(({ id }) => id === agentId);
    return { status: 201, body: { session: { id: `3${agentId}`, agentId, ...times }, agent } };
  });
  const { page, router } = await mountPage(Routed, {});
  router.removeRoute('agent');
  router.addRoute({ name: 'agent', path: '/agents/:agentId', component: Routed });
  await router.push(address);
  await flushPromises();
  const shown = () => page.findAll('[data-testid="agent-page"]').map((one) => one.attributes('data-agent-id'));
  const sessions = (method: string) =>
    seen.filter((request) => request.method === method && request.path.startsWith('/api/sessions')).length;
  return { page, router, shown, sessions };
};

describe('split view', () => {
  beforeEach(() => {
    localStorage.clear();
    (window as unknown as { happyDOM: { setViewport: (size: object) => void } }).happyDOM.setViewport({ width: 1440 });
  });
  afterEach(() => {
    vi.unstubAllGlobals();
    document.body.replaceChildren();
  });

  it('shows the two agents of the address, swaps them without a new session and closes one', async () => {
    const { page, router, shown, sessions } = await open('/agents/7?beside=8');
    expect(shown()).toEqual(['7', '8']);
    expect(page.findAll('[data-testid="prompt-input"]')).toHaveLength(2);
    await vi.waitFor(() => expect(sessions('POST')).toBe(2));
    const before = sessions('DELETE');
    await page.find('[data-testid="split-swap"]').trigger('click');
    await flushPromises();
    expect(router.currentRoute.value.fullPath).toBe('/agents/8?beside=7');
    expect(shown()).toEqual(['8', '7']);
    await page.find('[data-testid="split-close"]').trigger('click');
    await flushPromises();
    expect(router.currentRoute.value.fullPath).toBe('/agents/7');
    expect(shown()).toEqual(['7']);
    expect(sessions('POST')).toBe(2);
    expect(sessions('DELETE')).toBe(before + 1);
    page.unmount();
  });

  it('moves the divider with the keyboard, within bounds', async () => {
    const { page } = await open('/agents/7?beside=8');
    const divider = page.find('[data-testid="split-divider"]');
    await divider.trigger('keydown', { key: 'ArrowRight' });
    expect(divider.attributes('aria-valuenow')).toBe('52');
    await divider.trigger('keydown', { key: 'End' });
    await divider.trigger('keydown', { key: 'ArrowRight' });
    expect(divider.attributes('aria-valuenow')).toBe('75');
    await divider.trigger('keydown', { key: 'Enter' });
    expect(divider.attributes('aria-valuenow')).toBe('50');
    page.unmount();
  });

  it('shows one agent where there is no room, and for an address that makes no sense', async () => {
    const { page, router, shown } = await open('/agents/7?beside=8');
    for (const beside of ['7', 'x', '99']) {
      await router.push(`/agents/7?beside=${beside}`);
      expect(shown()).toEqual(['7']);
    }
    await router.push('/agents/7?beside=8');
    expect(shown()).toEqual(['7', '8']);
    const ui = useUiStore();
    vi.spyOn(ui, 'narrow', 'get').mockReturnValue(true);
    await router.push('/agents/8?beside=7');
    expect(shown()).toEqual(['8']);
    page.unmount();
  });

  it('keeps what stands beside when another agent is chosen, and offers only what is not on screen', async () => {
    let beside: ReturnType<typeof useBeside> | undefined;
    const Probe = defineComponent(() => {
      beside = useBeside();
      return () => h('div');
    });
    const { page, router } = await mountPage(Probe, {});
    router.removeRoute('agent');
    router.addRoute({ name: 'agent', path: '/agents/:agentId', component: Probe });
    await router.push('/agents/7?beside=8');
    expect(router.resolve(beside?.placeOf('9') ?? '').fullPath).toBe('/agents/9?beside=8');
    expect(router.resolve(beside?.placeOf('8') ?? '').fullPath).toBe('/agents/7?beside=8');
    expect([beside?.mayOpen('7'), beside?.mayOpen('8'), beside?.mayOpen('9')]).toEqual([false, false, true]);
    page.unmount();
  });
});
