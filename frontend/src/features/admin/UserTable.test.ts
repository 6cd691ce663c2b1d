import { flushPromises } from '@vue/test-utils';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { defineComponent, h } from 'vue';
import { mountPage, answerRequests } from '../../testing/mount-page.ts';
import UserTable from './UserTable.vue';
import type { UserRow } from './use-users.ts';

const row: UserRow = {
  id: '2',
  username: 'ben',
  displayName: 'Ben',
  email: null,
  role: 'user',
  status: 'active',
  createdAt: '2026-11-21T12:00:00Z',
  lastActiveAt: null,
  agentCount: 0,
};
const byText = (selector: string, text: string): HTMLElement => {
  const found = [...document.querySelectorAll<HTMLElement>(selector)].find((one) => one.textContent?.trim() === text);
  if (found === undefined) throw new Error(`no ${selector} says ${text}`);
  return found;
};

describe('admin rights', () => {
  afterEach(() => {
    vi.unstubAllGlobals();
    document.body.replaceChildren();
  });

  it.each(['Cancel', 'Make admin'])('are given only after the person was told what they are: %s', async (answer) => {
    const seen = answerRequests(({ method }) => (method === 'PATCH' ? { body: { ...row, role: 'admin' } } : undefined));
    const Table = defineComponent(() => () => h(UserTable, { rows: [row], loading: false, search: '' }));
    const { page } = await mountPage(Table, {});
    await page.find('[aria-label="Actions for ben"]').trigger('click');
    await vi.waitFor(() => byText('.n-dropdown-option-body__label', 'Make admin').click());
    await vi.waitFor(() => byText('.n-dialog__title', 'Make ben an admin?'));
    const changes = () => seen.filter(({ method }) => method === 'PATCH');
    expect(changes()).toEqual([]);
    byText('.n-dialog button', answer).click();
    await flushPromises();
    const given = { path: '/api/admin/users/2', body: { role: 'admin' } };
    expect(changes()).toMatchObject(answer === 'Cancel' ? [] : [given]);
    page.unmount();
  });
});
