import { AxeBuilder } from '@axe-core/playwright';
import { expect, test, type Page } from '@playwright/test';
import { createAgent, makeAccount, person, waitForPrompt } from '../support/people.ts';
import { createInstallation, linkIn, type Installation } from '../support/sac.ts';

let sac: Installation;
let page: Page;
test.beforeAll(async ({ browser }) => {
  sac = await createInstallation();
  const link = linkIn(await sac.start());
  ({ page } = await person(browser));
  await makeAccount(page, link, 'ana');
});
test.afterAll(() => sac.destroy());

async function seriousFindings(): Promise<string[]> {
  // What draws the terminal is no text; its accessible lines are tested where terminals are.
  const { violations } = await new AxeBuilder({ page }).exclude('.xterm').analyze();
  return violations
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .map(({ id, nodes }) => `${id}: ${nodes.map(({ target }) => target.join(' ')).join(', ')}`);
}

for (const path of ['/', '/agents/new', '/admin/users', '/admin/settings', '/settings/profile', '/settings/sessions']) {
  test(`axe finds nothing serious on ${path}`, async () => {
    await page.goto(`${sac.origin}${path}`);
    await expect(page.getByTestId('user-menu')).toBeVisible();
    await page.waitForTimeout(1_000); // skeletons give way to content
    expect(await seriousFindings()).toEqual([]);
  });
}

test('axe finds nothing serious on the page of an agent', async () => {
  await createAgent(page, 'Readable');
  await waitForPrompt(page);
  expect(await seriousFindings()).toEqual([]);
});
