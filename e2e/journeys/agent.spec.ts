import { expect, test } from '@playwright/test';
import { useAdmin } from '../support/journey.ts';
import {
  conversationText,
  expectOnScreen,
  expectState,
  send,
  settledConversation,
  terminal,
  waitForPrompt,
} from '../support/people.ts';

const journey = useAdmin({ agent: 'Nightly triage with a name that is as long as names can be' });

test('Stop ends what the agent is doing and leaves an empty prompt', async () => {
  const { page } = journey;
  await send(page, '[[slow: 500 100]]');
  await expectState(page, 'working');
  await expectOnScreen(page, /word5/);
  await page.getByTestId('prompt-stop').click();
  await expectState(page, 'ready');
  await expectOnScreen(page, /Interrupted/);
  await send(page, '[[final: Clean again.]]');
  await expectOnScreen(page, /● Clean again/);
});

test('a pasted image lands in the workspace and its path in the prompt', async () => {
  const { page } = journey;
  await expectState(page, 'ready');
  await page.getByTestId('prompt-input').click();
  await page.evaluate(async () => {
    const canvas = new OffscreenCanvas(64, 64);
    canvas.getContext('2d')?.fillRect(0, 0, 32, 32);
    const blob = await canvas.convertToBlob({ type: 'image/png' });
    const data = new DataTransfer();
    data.items.add(new File([blob], 'diagram.png', { type: 'image/png' }));
    const target = document.activeElement ?? document.body;
    target.dispatchEvent(new ClipboardEvent('paste', { clipboardData: data, bubbles: true, cancelable: true }));
  });
  await expect(page.getByTestId('prompt-input')).toHaveValue(/uploads\/[\w.-]+\.png/);
  const path = /\S*uploads\/[\w.-]+\.png/.exec(await page.getByTestId('prompt-input').inputValue())?.[0] ?? '';
  await send(page, `[[bash: head -c 8 ${path} | od -c | head -1]]`);
  await expectOnScreen(page, /P {3}N {3}G/);
});

test('prompts sent while the agent works wait in the queue and arrive once each, in order', async () => {
  const { page } = journey;
  await expectState(page, 'ready');
  await send(page, '[[slow: 150 100]]');
  await expectState(page, 'working');
  await send(page, '[[final: First in line.]]');
  await send(page, '[[final: Second in line.]]');
  await expectOnScreen(page, /● First in line[\s\S]*● Second in line/, 60_000);
  await expectState(page, 'ready');
});

test('a shell beside the CLI, closed again', async () => {
  const { page } = journey;
  await page.getByTestId('new-shell').click();
  await expectOnScreen(page, /\$ ?$/m);
  await page.keyboard.type('echo $((6*7)); pwd\n');
  await expectOnScreen(page, /^42\n\/workspace/m);
  await page.keyboard.type('exit\n');
  await page.getByRole('tab', { name: /main/ }).click();
  await expectOnScreen(page, '❯');
});

test('name and icon change nothing that runs; a change that needs a restart waits for it', async () => {
  const { page } = journey;
  const before = await settledConversation(page);
  await page.getByTestId('agent-menu').click();
  await page.getByTestId('menu-edit').click();
  await page.getByTestId('agent-name').fill('Renamed');
  await page.getByTestId('create-agent').click();
  await expect(page.getByTestId('restart-bar')).toHaveCount(0);
  await expect.poll(() => conversationText(page)).toBe(before);
  const stream = (await terminal(page).getAttribute('data-stream')) ?? '';

  await page.getByTestId('agent-menu').click();
  await page.getByTestId('menu-edit').click();
  await page.getByTestId('agent-instructions').fill('Answer in one sentence.');
  await page.getByTestId('create-agent').click();
  await expect(page.getByTestId('restart-bar')).toBeVisible();
  await expectOnScreen(page, '❯');
  await expect(terminal(page)).toHaveAttribute('data-stream', stream);
  await page.getByTestId('restart-apply').click();
  await expect(page.getByTestId('restart-bar')).toHaveCount(0, { timeout: 60_000 });
  await waitForPrompt(page);
  await expect(terminal(page)).not.toHaveAttribute('data-stream', stream);
});

test('delete can be undone for ten seconds', async () => {
  const { page } = journey;
  const agentPage = page.url();
  await page.getByTestId('agent-menu').click();
  await page.getByTestId('menu-remove').click();
  await page.getByRole('button', { name: 'Delete agent' }).click();
  await page.getByTestId('undo-delete').click();
  await page.goto(agentPage);
  await waitForPrompt(page);
});
