import { AxeBuilder } from '@axe-core/playwright';
import { expect, test, type Page } from '@playwright/test';
import { useAdmin } from '../support/journey.ts';
import { createAgent, waitForPrompt } from '../support/people.ts';

const journey = useAdmin();

async function seriousFindings(page: Page): Promise<string[]> {
  // What draws the terminal is no text; its accessible lines are tested where terminals are.
  const { violations } = await new AxeBuilder({ page }).exclude('.xterm').analyze();
  return violations
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .map(({ id, nodes }) => `${id}: ${nodes.map(({ target }) => target.join(' ')).join(', ')}`);
}

for (const path of ['/', '/agents/new', '/admin/users', '/admin/settings', '/settings/profile', '/settings/sessions']) {
  test(`axe finds nothing serious on ${path}`, async () => {
    const { sac, page } = journey;
    await page.goto(`${sac.origin}${path}`);
    await expect(page.getByTestId('user-menu')).toBeVisible();
    await page.waitForTimeout(1_000);
    await expect(page.locator('.n-skeleton')).toHaveCount(0);
    expect(await seriousFindings(page)).toEqual([]);
  });
}

test('axe finds nothing serious on the page of an agent', async () => {
  const { page } = journey;
  await createAgent(page, 'Readable');
  await waitForPrompt(page);
  expect(await seriousFindings(page)).toEqual([]);
});
