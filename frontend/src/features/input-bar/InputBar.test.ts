import type { Agent, Prompt } from '@sac/contracts';
import { flushPromises } from '@vue/test-utils';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { useAgentsStore } from '../../stores/agents.ts';
import { agentFixture } from '../../testing/agent-fixture.ts';
import { mountPage, refusal, answerRequests, type Rule } from '../../testing/mount-page.ts';
import InputBar from './InputBar.vue';

const prompt = (more: Partial<Prompt>): Prompt => ({
  id: '50',
  agentId: '7',
  clientRequestId: 'c-12345678',
  text: 'hello',
  state: 'queued',
  position: 1,
  reason: null,
  createdAt: '2026-11-21T12:00:00Z',
  settledAt: null,
  ...more,
});
const accept: Rule = ({ method, path, body }) => {
  if (path !== '/api/agents/7/prompts' || method !== 'POST') return undefined;
  return { status: 201, body: prompt({ ...(body as { clientRequestId: string; text: string }), state: 'delivered' }) };
};
const open = async (agent: Agent = agentFixture()) => {
  const { page } = await mountPage(InputBar, { agent, userId: '1' });
  const area = () => page.find<HTMLTextAreaElement>('[data-testid="prompt-input"]');
  return { page, area, type: (text: string) => area().setValue(text), bar: () => page.findComponent(InputBar) };
};
const sent = (seen: ReturnType<typeof answerRequests>) =>
  seen.filter(({ method, path }) => method === 'POST' && path.endsWith('/prompts'));

describe('InputBar', () => {
  beforeEach(() => {
    localStorage.clear();
    sessionStorage.clear();
  });
  afterEach(() => {
    vi.unstubAllGlobals();
    document.body.replaceChildren();
  });

  it('sends with Enter, keeps Shift+Enter for a new line and leaves keys of an input method alone', async () => {
    const seen = answerRequests(accept);
    const { area, type, page } = await open();
    await type('hello');
    await area().trigger('keydown', { key: 'Enter', shiftKey: true });
    await area().trigger('keydown', { key: 'Enter', isComposing: true });
    await flushPromises();
    expect(sent(seen)).toEqual([]);
    await area().trigger('keydown', { key: 'Enter' });
    await flushPromises();
    expect(sent(seen)).toMatchObject([{ body: { text: 'hello' } }]);
    expect(area().element.value).toBe('');
    await area().trigger('keydown', { key: 'ArrowUp' });
    expect(area().element.value).toBe('hello');
    page.unmount();
  });

  it('shows a refused prompt with the reason and repeats it under the same id', async () => {
    let refuse = true;
    const seen = answerRequests((request) =>
      refuse && request.method === 'POST' ? refusal(409, 'limit_reached') : accept(request),
    );
    const { area, type, page } = await open();
    await type('do it');
    await area().trigger('keydown', { key: 'Enter' });
    await vi.waitFor(() => expect(page.find('[data-testid="prompt-queued"]').text()).toContain('Told so.'));
    refuse = false;
    await page.find('[data-testid="prompt-again"]').trigger('click');
    await flushPromises();
    const ids = sent(seen).map(({ body }) => (body as { clientRequestId: string }).clientRequestId);
    expect(ids).toHaveLength(2);
    expect(new Set(ids).size).toBe(1);
    expect(page.find('[data-testid="prompt-queued"]').exists()).toBe(false);
    page.unmount();
  });

  it('puts a refused prompt back into the box to edit it', async () => {
    answerRequests(({ method }) => (method === 'POST' ? refusal(409, 'conflict') : undefined));
    const { area, type, page } = await open();
    await type('do it');
    await area().trigger('keydown', { key: 'Enter' });
    await vi.waitFor(() => expect(page.find('[data-testid="prompt-edit"]').exists()).toBe(true));
    await page.find('[data-testid="prompt-edit"]').trigger('click');
    await flushPromises();
    expect(area().element.value).toBe('do it');
    page.unmount();
  });

  it('keeps the text under way for the next visit, for this agent only', async () => {
    answerRequests();
    const first = await open();
    await first.type('half a thought');
    first.page.unmount();
    const again = await open();
    expect(again.area().element.value).toBe('half a thought');
    again.page.unmount();
    const other = await open(agentFixture({}, { id: '8' }));
    expect(other.area().element.value).toBe('');
    other.page.unmount();
  });

  it('refuses more than 64 KiB, says so and keeps the text', async () => {
    const seen = answerRequests(accept);
    const { area, type, page } = await open();
    await type('字'.repeat(21_846));
    await area().trigger('keydown', { key: 'Enter' });
    await flushPromises();
    expect(sent(seen)).toEqual([]);
    expect(page.find('[data-testid="prompt-size"]').text()).toContain('65,538');
    expect(area().element.value).toHaveLength(21_846);
    page.unmount();
  });

  it('keeps a text that is too long when there is no room for it as a file, and within reach when there is', async () => {
    answerRequests(accept);
    const { area, type, page, bar } = await open(agentFixture({ state: 'asleep' }));
    const text = '字'.repeat(21_846);
    const files = Array.from({ length: 20 }, (_, index) => new File(['x'], `${index}.txt`));
    const exposed = bar().vm.$.exposed as { addFiles: (files: readonly File[]) => void };
    exposed.addFiles(files);
    await type(text);
    const attach = () => page.find('[data-testid="prompt-size"] button').trigger('click');
    await attach();
    expect(area().element.value).toBe(text);
    await page.find('[data-testid="upload"] button').trigger('click');
    await attach();
    await flushPromises();
    expect(area().element.value).toBe('');
    await area().trigger('keydown', { key: 'ArrowUp' });
    expect(area().element.value).toBe(text);
    page.unmount();
  });

  it('stops a working agent with Escape, and only then', async () => {
    const seen = answerRequests(({ path }) => (path.endsWith('/interrupt') ? { status: 202 } : undefined));
    const idle = await open();
    await idle.area().trigger('keydown', { key: 'Escape' });
    expect(idle.page.find('[data-testid="prompt-stop"]').exists()).toBe(false);
    idle.page.unmount();
    const busy = await open(agentFixture({ state: 'working' }));
    await busy.area().trigger('keydown', { key: 'Escape' });
    await flushPromises();
    expect(seen.filter(({ path }) => path.endsWith('/interrupt'))).toHaveLength(1);
    busy.page.unmount();
  });

  it('asks the person about a prompt whose fate is unknown', async () => {
    const seen = answerRequests(accept);
    const { page } = await open();
    useAgentsStore().putPrompt(prompt({ state: 'unknown', text: 'maybe' }));
    await flushPromises();
    const row = page.find('[data-testid="prompt-queued"]');
    expect(row.attributes('data-state')).toBe('unknown');
    await row.find('[data-testid="prompt-remove"]').trigger('click');
    await flushPromises();
    expect(seen).toContainEqual({ method: 'DELETE', path: '/api/agents/7/prompts/50', body: undefined });
    expect(page.find('[data-testid="prompt-queued"]').exists()).toBe(false);
    page.unmount();
  });

  it('keeps the text of a dropped prompt within reach of the arrow key', async () => {
    answerRequests(accept);
    const { area, page } = await open();
    useAgentsStore().putPrompt(prompt({ state: 'failed', text: 'x'.repeat(10_000), reason: 'The CLI ended.' }));
    await flushPromises();
    await page.find('[data-testid="prompt-remove"]').trigger('click');
    await flushPromises();
    await area().trigger('keydown', { key: 'ArrowUp' });
    expect(area().element.value).toHaveLength(10_000);
    page.unmount();
  });

  it('sends an undecided prompt again as the same prompt, naming the decision', async () => {
    const settledAt = '2026-11-21T12:01:00.000Z';
    const seen = answerRequests(({ path }) =>
      path.endsWith('/retry') ? { body: prompt({ state: 'queued', text: 'maybe' }) } : undefined,
    );
    const { page } = await open(agentFixture({ state: 'working' }));
    useAgentsStore().putPrompt(prompt({ state: 'unknown', text: 'maybe', settledAt }));
    await flushPromises();
    await page.find('[data-testid="prompt-again"]').trigger('click');
    await flushPromises();
    expect(seen).toContainEqual({ method: 'POST', path: '/api/agents/7/prompts/50/retry', body: { settledAt } });
    expect(sent(seen)).toEqual([]);
    expect(page.find('[data-testid="prompt-queued"]').attributes('data-state')).toBe('queued');
    page.unmount();
  });

  it('believes an event about a prompt that was sent again more than the answer that comes after it', async () => {
    const settledAt = '2026-11-21T12:01:00.000Z';
    answerRequests(({ path }) => {
      if (!path.endsWith('/retry')) return undefined;
      useAgentsStore().apply({ type: 'prompt', prompt: prompt({ state: 'delivered', text: 'maybe' }) });
      return { body: prompt({ state: 'queued', text: 'maybe' }) };
    });
    const { page } = await open(agentFixture({ state: 'working' }));
    useAgentsStore().putPrompt(prompt({ state: 'unknown', text: 'maybe', settledAt }));
    await flushPromises();
    await page.find('[data-testid="prompt-again"]').trigger('click');
    await flushPromises();
    expect(page.find('[data-testid="prompt-queued"]').exists()).toBe(false);
    page.unmount();
  });

  it('changes the order by button and by dragging, and takes a refused change back', async () => {
    let refuse = false;
    const seen = answerRequests(({ path, body }) => {
      if (!path.endsWith('/order')) return undefined;
      if (refuse) return refusal(503, 'unavailable');
      const { promptIds } = body as { promptIds: string[] };
      return { body: { prompts: promptIds.map((id, at) => queued(id, 50 + at)) } };
    });
    const queued = (id: string, position: number) => prompt({ id, position, text: id, clientRequestId: `c-${id}` });
    const { page } = await open(agentFixture({ state: 'working' }));
    for (const id of ['50', '51', '52']) useAgentsStore().putPrompt(queued(id, Number(id)));
    await flushPromises();
    const rows = () => page.findAll('[data-testid="prompt-queued"]');
    const order = () => rows().map((row) => row.find('b').text());
    const orders = () => seen.filter(({ path }) => path.endsWith('/order')).map(({ body }) => body);
    expect(rows()[0]?.find('[data-testid="prompt-earlier"]').attributes('disabled')).toBeDefined();
    await rows()[1]?.find('[data-testid="prompt-earlier"]').trigger('click');
    await flushPromises();
    expect(order()).toEqual(['51', '50', '52']);
    expect(document.activeElement?.getAttribute('data-testid')).toBe('prompt-later');
    expect(orders()).toEqual([{ promptIds: ['51', '50', '52'] }]);

    const dataTransfer = { setData: () => undefined, types: [] };
    await rows()[2]?.trigger('dragstart', { dataTransfer });
    await rows()[0]?.trigger('dragover', { dataTransfer });
    await rows()[0]?.trigger('drop', { dataTransfer });
    await flushPromises();
    expect(order()).toEqual(['52', '51', '50']);

    refuse = true;
    await rows()[0]?.find('[data-testid="prompt-later"]').trigger('click');
    await vi.waitFor(() => expect(document.body.textContent).toContain('The order was not changed'));
    expect(order()).toEqual(['52', '51', '50']);
    page.unmount();
  });

  it('lists a long queue in short, what needs a decision always, and all of it when asked', async () => {
    answerRequests(accept);
    const { page } = await open(agentFixture({ state: 'working' }));
    for (const id of ['50', '51', '52', '53', '54']) {
      const state = id === '54' ? 'unknown' : 'queued';
      useAgentsStore().putPrompt(prompt({ id, position: Number(id), text: id, clientRequestId: `c-${id}`, state }));
    }
    await flushPromises();
    const texts = () => page.findAll('[data-testid="prompt-queued"] b').map((text) => text.text());
    expect(texts()).toEqual(['50', '51', '54']);
    await page.find('[data-testid="prompt-more"]').trigger('click');
    expect(texts()).toEqual(['50', '51', '52', '53', '54']);
    page.unmount();
  });

  it('keeps a queue on a phone to one row, with what can be done behind a tap on it', async () => {
    const { happyDOM } = window as unknown as { happyDOM: { setViewport: (size: object) => void } };
    happyDOM.setViewport({ width: 390 });
    answerRequests(({ path, body }) => {
      if (!path.endsWith('/order')) return undefined;
      return { body: { prompts: (body as { promptIds: string[] }).promptIds.map((id, at) => queued(id, 50 + at)) } };
    });
    const queued = (id: string, position: number) => prompt({ id, position, text: id, clientRequestId: `c-${id}` });
    const { page } = await open(agentFixture({ state: 'working' }));
    for (const id of ['50', '51', '52']) useAgentsStore().putPrompt(queued(id, Number(id)));
    await flushPromises();
    const rows = () => page.findAll('[data-testid="prompt-queued"]');
    expect(rows().map((row) => row.find('b').text())).toEqual(['50']);
    expect(page.find('[data-testid="prompt-more"]').text()).toBe('Show all 3');
    const words = page.find('[data-testid="prompt-unfold"]');
    const actions = () => page.find<HTMLElement>(`[id="${words.attributes('aria-controls')}"]`);
    expect(words.attributes('aria-expanded')).toBe('false');
    expect(actions().element.style.display).toBe('none');
    await words.trigger('click');
    expect(words.attributes('aria-expanded')).toBe('true');
    expect(actions().element.style.display).toBe('');

    await actions().find('[data-testid="prompt-later"]').trigger('click');
    await flushPromises();
    expect(rows().map((row) => row.find('b').text())).toEqual(['51', '50', '52']);
    expect(document.activeElement?.closest('[data-key]')?.getAttribute('data-key')).toBe('c-50');
    page.unmount();
    happyDOM.setViewport({ width: 1440 });
  });

  it('asks for a sleeping agent to be woken when something is sent', async () => {
    answerRequests(accept);
    const { area, type, page, bar } = await open(agentFixture({ state: 'asleep' }));
    await type('wake up');
    await area().trigger('keydown', { key: 'Enter' });
    await flushPromises();
    expect(bar().emitted('wake')).toHaveLength(1);
    page.unmount();
  });
});
