import { expect, test } from '@playwright/test';
import { useInstallation } from '../support/journey.ts';
import { linkIn } from '../support/sac.ts';
import { createAgent, makeAccount, person, waitForPrompt } from '../support/people.ts';

const journey = useInstallation();

test('an invited second user has agents of their own and sees nothing of the first', async ({ browser }) => {
  const { sac } = journey;
  const link = linkIn(await sac.start());
  const ana = await person(browser);
  await makeAccount(ana.page, link, 'ana');
  await createAgent(ana.page, 'Secret plans');
  await waitForPrompt(ana.page);
  const foreignPage = ana.page.url();

  await ana.page.goto(`${sac.origin}/admin/users`);
  await ana.page.getByTestId('invite-user').click();
  await ana.page.getByTestId('create-invite').click();
  const invite = await ana.page.getByTestId('invite-link').inputValue();
  expect(invite).toContain('/join#');

  const ben = await person(browser);
  await makeAccount(ben.page, invite, 'ben');
  await expect(ben.page.getByText('Secret plans')).toHaveCount(0);
  await ben.page.goto(foreignPage);
  await expect(ben.page.getByTestId('agent-missing')).toBeVisible();

  const again = await person(browser);
  await again.page.goto(invite);
  await expect(again.page.getByTestId('link-problem')).toBeVisible();

  await createAgent(ben.page, 'My own');
  await waitForPrompt(ben.page);
  await expect(ana.page.getByText('My own')).toHaveCount(0);
});

test('the first-admin link works once', async ({ browser }) => {
  const { sac } = journey;
  const link = linkIn(await sac.run('admin-link'));
  const { page } = await person(browser);
  await makeAccount(page, link, 'carla');
  const { page: later } = await person(browser);
  await later.goto(link);
  await expect(later.getByTestId('link-problem')).toContainText('make admin-link');
});
