import { flushPromises } from '@vue/test-utils';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { h, ref } from 'vue';
import { agentFixture } from '../../testing/agent-fixture.ts';
import { mountPage, answerRequests } from '../../testing/mount-page.ts';
import AsleepPanel from './AsleepPanel.vue';

const asleep = ref(false);
const terminal = (id: string) => h('textarea', { id, class: 'xterm-helper-textarea' });
/** Two agents side by side, each with its terminal; the right one falls asleep. */
const twoAgents = {
  render: () => [
    h('div', { 'data-testid': 'agent-page' }, [terminal('left')]),
    h('div', { 'data-testid': 'agent-page' }, [
      terminal('right'),
      asleep.value ? h(AsleepPanel, { agent: agentFixture({ state: 'asleep' }), waking: false }) : null,
    ]),
  ],
};
const focusedAfterFallingAsleep = async (typingIn: string): Promise<string | undefined> => {
  asleep.value = false;
  answerRequests();
  const { page } = await mountPage(twoAgents, {});
  page.find<HTMLElement>(`#${typingIn}`).element.focus();
  asleep.value = true;
  await flushPromises();
  const focused = document.activeElement;
  page.unmount();
  return focused?.id || focused?.getAttribute('data-testid') || undefined;
};

describe('AsleepPanel', () => {
  afterEach(() => {
    vi.unstubAllGlobals();
    document.body.replaceChildren();
  });

  it('takes the keyboard from the terminal it covers, so that Enter wakes', async () => {
    expect(await focusedAfterFallingAsleep('right')).toBe('wake');
  });

  it('does not take it from another agent that somebody types to', async () => {
    expect(await focusedAfterFallingAsleep('left')).toBe('left');
  });
});
