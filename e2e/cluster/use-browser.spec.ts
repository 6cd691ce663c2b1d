import { test } from '@playwright/test';
import { adminLink, cluster } from '../support/cluster.ts';
import {
  createAgent,
  expectOnScreen,
  expectState,
  leave,
  makeAccount,
  person,
  send,
  terminal,
  waitForPrompt,
} from '../support/people.ts';

/** What a person sees in a cluster, through the single entrance. */
test.afterAll(({ browser }) => leave(browser));

test('a person signs in, makes an agent, and it answers, writes a file and is there after a reload', async ({
  browser,
}) => {
  const { page } = await person(browser);
  await makeAccount(page, await adminLink(), 'ana');
  await createAgent(page, 'Checkout refactor', { baseUrl: cluster.demoModel, token: 'demo' });
  await waitForPrompt(page);
  await expectState(page, 'ready');
  await send(page, '[[final: The answer is forty-two.]]');
  await expectOnScreen(page, /● The answer is forty-two/);
  await send(page, 'create a file notes.txt with Written by the agent');
  await expectState(page, 'waiting');
  await terminal(page).click();
  await page.keyboard.press('Enter');
  await expectOnScreen(page, /notes\.txt is in the workspace/);
  await expectState(page, 'ready');
  await page.reload();
  await expectOnScreen(page, /notes\.txt is in the workspace/);
});
