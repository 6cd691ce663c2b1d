import { flushPromises, type VueWrapper } from '@vue/test-utils';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { NSwitch } from 'naive-ui';
import { initialStatus, type TerminalStatus } from '../../terminal/status.ts';
import { agentFixture } from '../../testing/agent-fixture.ts';
import { answerRequests, mountPage, refusal } from '../../testing/mount-page.ts';
import AgentPage from './AgentPage.vue';

const LOADS_WITHIN = { timeout: 10_000 };
const session = { id: '3', agentId: '7', openedAt: '2026-11-21T12:00:00Z', lastActiveAt: '2026-11-21T12:00:00Z' };
const live: TerminalStatus = {
  ...initialStatus,
  phase: 'live',
  size: { columns: 80, rows: 24 },
  viewers: [
    { name: 'Ana', owner: false, self: true, mode: 'control' },
    { name: 'Ben', owner: true, self: false, mode: 'control' },
  ],
};
const one = (page: VueWrapper, testid: string) => page.find(`[data-testid="${testid}"]`);

const open = async () => {
  const seen = answerRequests(({ method, path }) => {
    if (path === '/api/agents' && method === 'GET') return { body: { agents: [agentFixture()], limit: 10 } };
    if (path === '/api/sessions') return { status: 201, body: { session, agent: agentFixture() } };
    if (!path.endsWith('/ticket')) return undefined;
    // There is no terminal behind this page; what it asks for is what counts.
    return refusal(503, 'unavailable', { details: { retryAfterSeconds: 60 } });
  });
  const { page } = await mountPage(AgentPage, { agentId: '7' });
  await vi.waitFor(async () => {
    await flushPromises();
    expect(one(page, 'terminal').exists()).toBe(true);
  }, LOADS_WITHIN);
  const modes = () =>
    seen.filter(({ path }) => path.endsWith('/ticket')).map(({ body }) => (body as { mode: string }).mode);
  return { page, modes };
};
/** The page believes that the terminal is live, and another window has its size. */
const offersSize = async (page: VueWrapper): Promise<boolean> => {
  page.findComponent({ name: 'TerminalArea' }).vm.$emit('status', live);
  await flushPromises();
  expect(one(page, 'viewers').text()).toContain('80 × 24');
  return one(page, 'take-over').exists();
};
const watch = async (page: VueWrapper, on: boolean): Promise<void> => {
  await one(page, 'terminal-settings').trigger('click');
  await flushPromises();
  const toggle = page.findAllComponents(NSwitch).find((item) => item.attributes('data-testid') === 'watch-only');
  if (!toggle) throw new Error('the settings have no such switch');
  toggle.vm.$emit('update:value', on);
  await flushPromises();
};

describe('a terminal that is only watched', () => {
  beforeEach(() => {
    localStorage.clear();
    sessionStorage.clear();
    // A screen waits for its font.
    Object.defineProperty(document, 'fonts', { configurable: true, value: { load: () => Promise.resolve([]) } });
  });
  afterEach(() => {
    Reflect.deleteProperty(document, 'fonts');
    vi.unstubAllGlobals();
    document.body.replaceChildren();
  });

  it('asks for a ticket to view, says so, offers no size, and takes part again with one button', async () => {
    const { page, modes } = await open();
    await vi.waitFor(() => expect(modes()).toContain('control'), LOADS_WITHIN);
    expect(await offersSize(page)).toBe(true);
    await watch(page, true);
    expect(one(page, 'watching').text()).toContain('Watching only');
    expect(await offersSize(page)).toBe(false);
    expect(one(page, 'prompt-input').exists()).toBe(true);
    await vi.waitFor(() => expect(modes().at(-1)).toBe('view'), LOADS_WITHIN);
    await one(page, 'take-part').trigger('click');
    await flushPromises();
    expect(one(page, 'watching').exists()).toBe(false);
    expect(await offersSize(page)).toBe(true);
    await vi.waitFor(() => expect(modes().at(-1)).toBe('control'), LOADS_WITHIN);
    page.unmount();
  });

  it('is so after a reload of the tab too, from the first ticket on, and on a phone without the key bar', async () => {
    const before = await open();
    await watch(before.page, true);
    before.page.unmount();
    const { page, modes } = await open();
    await vi.waitFor(() => expect(modes().length).toBeGreaterThan(0), LOADS_WITHIN);
    expect(new Set(modes())).toEqual(new Set(['view']));
    (window as unknown as { happyDOM: { setViewport(size: { width: number }): void } }).happyDOM.setViewport({
      width: 390,
    });
    await flushPromises();
    expect(one(page, 'key-bar').exists()).toBe(false);
    await one(page, 'take-part').trigger('click');
    await flushPromises();
    expect(one(page, 'key-bar').exists()).toBe(true);
    page.unmount();
  });
});
