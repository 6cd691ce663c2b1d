import { flushPromises } from '@vue/test-utils';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { mountPage, answerRequests } from '../../testing/mount-page.ts';
import VolumesPage from './VolumesPage.vue';

const volume = {
  namespace: 'sac-agents-0',
  name: 'home-claude-code-1-7-0',
  size: '10Gi',
  createdAt: '2026-11-21T12:00:00Z',
  isForeign: true,
  candidate: { uid: 'u-1', name: 'Reader', owner: 'ada' },
};
const path = '/api/admin/volumes/sac-agents-0/home-claude-code-1-7-0';

describe('volumes that belong to no agent', () => {
  afterEach(() => {
    vi.unstubAllGlobals();
    document.body.replaceChildren();
  });

  const shown = async () => {
    const seen = answerRequests(({ method, path: asked }) => {
      if (method === 'POST') return { status: 204 };
      return asked === '/api/admin/volumes' ? { body: { volumes: [volume] } } : undefined;
    });
    const { page } = await mountPage(VolumesPage, {});
    await vi.waitFor(() => expect(page.text()).toContain('fits Reader of ada'));
    const changes = () => seen.filter(({ method }) => method !== 'GET');
    const press = (words: string) =>
      page
        .findAll('button')
        .find((one) => one.text() === words)
        ?.trigger('click');
    const confirm = async (testid: string): Promise<void> => {
      const button = await vi.waitFor(() => {
        const found = document.querySelector<HTMLElement>(`[data-testid="${testid}"]`);
        if (found === null) throw new Error('no question');
        return found;
      });
      expect(changes()).toEqual([]);
      button.click();
      await flushPromises();
    };
    return { page, changes, press, confirm };
  };

  it('are handed over after a question, and are no longer listed', async () => {
    const { page, changes, press, confirm } = await shown();
    await press('Hand over');
    await confirm('confirm-adopt');
    await vi.waitFor(() =>
      expect(changes()).toEqual([{ method: 'POST', path: `${path}/adopt`, body: { agentUid: 'u-1' } }]),
    );
    await vi.waitFor(() => expect(page.text()).toContain('Every volume belongs to an agent.'));
    page.unmount();
  });

  it('are deleted after a question', async () => {
    const { page, changes, press, confirm } = await shown();
    await press('Delete');
    await confirm('confirm-delete');
    await vi.waitFor(() => expect(changes()).toMatchObject([{ method: 'DELETE', path }]));
    page.unmount();
  });
});
