import { expect, test } from '@playwright/test';
import { useInstallation } from '../support/journey.ts';
import { linkIn } from '../support/sac.ts';
import {
  createAgent,
  expectOnScreen,
  expectState,
  makeAccount,
  person,
  send,
  waitForPrompt,
} from '../support/people.ts';

const journey = useInstallation();

test('a permission dialog is answered on a phone with the key bar alone', async ({ browser }) => {
  const { sac } = journey;
  const link = linkIn(await sac.start());
  const { page } = await person(browser, { phone: true });
  await makeAccount(page, link, 'ana');
  await createAgent(page, 'Pocket');
  await waitForPrompt(page);
  const overflowPixels = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
  expect(overflowPixels).toBeLessThanOrEqual(0);

  await send(page, 'create a file pocket.txt with From a phone');
  await expectState(page, 'waiting');
  const keys = page.getByTestId('key-bar');
  for (const key of await keys.getByRole('button').all()) {
    const box = await key.boundingBox();
    expect(Math.round(box?.height ?? 0)).toBeGreaterThanOrEqual(40);
  }
  await keys.locator('[data-key=enter]').tap();
  await expectOnScreen(page, /is in the workspace/);
});
