import { expect, test, type Page } from '@playwright/test';
import { useAdmin } from '../support/journey.ts';
import { expectOnScreen, expectState, screenText, send } from '../support/people.ts';

const journey = useAdmin({ agent: 'Patient' });

const row = (page: Page, name: string) => page.getByTestId('prompt-queued').filter({ hasText: `Prompt ${name}.` });
/** Names of what waits, next one first. */
const queue = (page: Page): Promise<string[]> =>
  page
    .getByTestId('prompt-queued')
    .evaluateAll((rows) => rows.map((one) => /Prompt (\w+)/.exec(one.textContent)?.[1] ?? '?'));
const expectQueue = (page: Page, names: string[]): Promise<void> => expect.poll(() => queue(page)).toEqual(names);
const answersIn = async (page: Page): Promise<string[]> =>
  [...(await screenText(page)).matchAll(/● Prompt (\w+)\./g)].map((match) => match[1] ?? '');

test('what waits is put in another order and removed, by pointer and by keyboard, and arrives so', async () => {
  const { page } = journey;
  await send(page, '[[slow: 3000 100]]');
  await expectState(page, 'working');
  const names = ['one', 'two', 'three', 'four', 'five'];
  for (const name of names) await send(page, `[[final: Prompt ${name}.]]`);
  await page.getByTestId('prompt-more').click();
  await expectQueue(page, names);

  await row(page, 'five').dragTo(row(page, 'one'));
  await expectQueue(page, ['five', 'one', 'two', 'three', 'four']);
  await row(page, 'one').getByTestId('prompt-later').click();
  await expectQueue(page, ['five', 'two', 'one', 'three', 'four']);

  await row(page, 'four').getByTestId('prompt-earlier').focus();
  await page.keyboard.press('Enter');
  await page.keyboard.press('Enter');
  await expectQueue(page, ['five', 'two', 'four', 'one', 'three']);
  await expect(row(page, 'four').getByTestId('prompt-earlier')).toBeFocused();

  await row(page, 'five').getByTestId('prompt-remove').click();
  await row(page, 'one').getByTestId('prompt-remove').focus();
  await page.keyboard.press('Enter');
  await expectQueue(page, ['two', 'four', 'three']);
  await page.reload();
  await expectQueue(page, ['two', 'four', 'three']);

  await page.getByTestId('prompt-stop').click();
  await expect.poll(() => answersIn(page), { timeout: 60_000 }).toEqual(['two', 'four', 'three']);
  await expect(page.getByTestId('prompt-queued')).toHaveCount(0);
});

test('what the server does not take stays, says why, and is sent again by pointer and by keyboard', async () => {
  const { page } = journey;
  await expectState(page, 'ready');
  const refusal = { code: 'storage_full', message: 'The disk of the server is full.', requestId: 'request-1' };
  let refused = 0;
  await page.route('**/api/agents/*/prompts', async (route) => {
    if (route.request().method() !== 'POST') return route.fallback();
    refused += 1;
    await route.fulfill({ status: 507, json: refusal });
  });
  await send(page, '[[final: Prompt stubborn.]]');
  await expect(row(page, 'stubborn')).toHaveAttribute('data-state', 'notSent');
  await expect(row(page, 'stubborn')).toContainText(/disk/);
  await row(page, 'stubborn').getByTestId('prompt-again').click();
  await expect.poll(() => refused).toBe(2);
  await expect(row(page, 'stubborn')).toHaveAttribute('data-state', 'notSent');

  await page.unrouteAll();
  await row(page, 'stubborn').getByTestId('prompt-again').focus();
  await page.keyboard.press('Enter');
  await expectOnScreen(page, /● Prompt stubborn\./);
  await expect(page.getByTestId('prompt-queued')).toHaveCount(0);
  await expectState(page, 'ready');
  expect((await answersIn(page)).filter((name) => name === 'stubborn')).toHaveLength(1);
});
