import { expect, test } from '@playwright/test';
import { useInstallation } from '../support/journey.ts';
import { linkIn } from '../support/sac.ts';
import {
  conversationText,
  createAgent,
  expectOnScreen,
  expectState,
  makeAccount,
  person,
  send,
  settledConversation,
  signIn,
  terminal,
  waitForPrompt,
} from '../support/people.ts';

/** From an empty data directory to an agent that remembers, as the README promises it. */
const journey = useInstallation();

test('a newcomer starts SAC, makes the admin, and an agent answers, writes a file and remembers', async ({
  browser,
}) => {
  const { sac } = journey;
  const link = linkIn(await sac.start());
  const { page } = await person(browser);
  await makeAccount(page, link, 'ana');
  expect(page.url()).not.toContain('#');
  await createAgent(page, 'Checkout refactor');
  await waitForPrompt(page);
  await expectState(page, 'ready');

  await test.step('a prompt typed into the TUI is answered', async () => {
    await terminal(page).click();
    await page.keyboard.type('Tell me something [[final: The answer is forty-two.]]');
    await expectOnScreen(page, 'forty-two.]]');
    await page.keyboard.press('Enter');
    await expectOnScreen(page, /● The answer is forty-two/);
  });

  await test.step('a tool call asks, is allowed, and writes a file', async () => {
    await send(page, 'create a file notes.txt with Written by the agent');
    await expectState(page, 'waiting');
    await expectOnScreen(page, /notes\.txt/);
    await terminal(page).click();
    await page.keyboard.press('Enter');
    await expectOnScreen(page, /notes\.txt is in the workspace/);
    await expectState(page, 'ready');
    await send(page, '[[bash: cat notes.txt]]');
    await expectOnScreen(page, /The tool said: Written by the agent/);
  });

  await test.step('reload: the same screen', async () => {
    await expectState(page, 'ready');
    const before = await settledConversation(page);
    await page.reload();
    await expect.poll(() => conversationText(page)).toBe(before);
  });

  await test.step('a second browser sees the same screen, and both see what comes', async () => {
    const other = await person(browser);
    await signIn(other.page, sac.origin, 'ana');
    await other.page.goto(page.url());
    await expectOnScreen(other.page, /Written by the agent/);
    await send(other.page, '[[final: Seen by two.]]');
    await expectOnScreen(page, /● Seen by two/);
    await expectOnScreen(other.page, /● Seen by two/);
    await other.context.close();
  });

  await test.step('stop and start: the agent continues its conversation', async () => {
    await sac.stop();
    await sac.start();
    await page.reload();
    await waitForPrompt(page);
    await expectOnScreen(page, /Seen by two/);
    await send(page, '[[final: Still here.]]');
    await expectOnScreen(page, /● Still here/);
  });
});
