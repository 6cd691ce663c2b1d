import { readFile } from 'node:fs/promises';
import { AxeBuilder } from '@axe-core/playwright';
import { expect, test, type Page } from '@playwright/test';
import { useAdmin } from '../support/journey.ts';
import { expectOnScreen, expectState, person, send, signIn, terminal, waitForPrompt } from '../support/people.ts';

const journey = useAdmin({ agent: 'Nightly triage' });
let page: Page;
let agentUrl: string;
test.beforeAll(() => {
  ({ page } = journey);
  agentUrl = page.url();
});
test.beforeEach(async () => {
  await page.goto(agentUrl);
  await waitForPrompt(page);
});

const player = (on: Page) => on.getByTestId('recording-player');
const shown = (on: Page): Promise<string> =>
  on.evaluate(() =>
    [...document.querySelectorAll('[data-testid=recording-screen] .xterm-accessibility-tree > *')]
      .map((line) => (line.textContent ?? '').replaceAll('\u00a0', ' ').trimEnd())
      .join('\n'),
  );
const expectShown = (on: Page, text: string | RegExp): Promise<void> =>
  expect.poll(() => shown(on), { message: `"${String(text)}" in the recording` }).toMatch(text);
const slide = (on: Page, to: { share: number } | { byMs: number }): Promise<void> =>
  on.getByTestId('recording-seek').evaluate((element, place) => {
    const input = element as HTMLInputElement;
    const ms = 'share' in place ? Number(input.max) * place.share : Number(input.value) + place.byMs;
    input.value = String(Math.round(ms));
    input.dispatchEvent(new Event('input', { bubbles: true }));
  }, to);
const seekTo = (on: Page, share: number): Promise<void> => slide(on, { share });
const seekBy = (on: Page, byMs: number): Promise<void> => slide(on, { byMs });

test('what the agent did can be watched, sought and downloaded', async () => {
  await send(page, '[[final: The first answer.]]');
  await expectOnScreen(page, /● The first answer/);
  await expectState(page, 'ready');
  await send(page, '[[final: The second answer.]]');
  await expectOnScreen(page, /● The second answer/);
  await expect(page.getByTestId('recording-link')).toHaveAttribute('data-recorded', 'true');
  await page.getByTestId('recording-link').click();
  await expect(page).toHaveURL(/\/agents\/\d+\/recordings\/main$/);
  await expect(page.getByTestId('recording-state')).toContainText('being recorded');
  await expect(player(page)).toHaveAttribute('data-playing', 'true');
  await page.keyboard.press(' ');
  await expect(player(page)).toHaveAttribute('data-playing', 'false');

  await seekTo(page, 1);
  await expectShown(page, /● The second answer/);
  await seekTo(page, 0);
  await expect.poll(() => shown(page)).not.toMatch(/answer/);
  await expect(page.getByTestId('recording-time')).toContainText(/^0:00 \/ \d+:\d\d$/);
  await page.keyboard.press('ArrowRight');
  const seek = page.getByTestId('recording-seek');
  await expect(seek).toHaveValue(String(Math.min(5_000, Number(await seek.getAttribute('max')))));
  await page.getByTestId('recording-speed').click();
  await page.getByText('16×', { exact: true }).click();
  await page.getByTestId('recording-play').click();
  await expectShown(page, /● The second answer/);
  await expect(player(page)).toHaveAttribute('data-playing', 'false');

  const [file] = await Promise.all([page.waitForEvent('download'), page.getByTestId('recording-download').click()]);
  expect(file.suggestedFilename()).toMatch(/^Nightly-triage-main-[\d-]+\.cast$/);
  const [header = '', ...events] = (await readFile(await file.path(), 'utf8')).trimEnd().split('\n');
  expect(JSON.parse(header)).toMatchObject({ version: 2 });
  const parsed = events.map((line) => JSON.parse(line) as [number, string, string]);
  expect(parsed[0]?.[0]).toBe(0);
  expect(parsed.every(([, kind]) => 'orm'.includes(kind))).toBe(true);
  const found = await new AxeBuilder({ page }).analyze();
  expect(found.violations.filter(({ impact }) => impact === 'serious' || impact === 'critical')).toEqual([]);
});

test('a restart of the agent is marked, and what was before is still there', async () => {
  await send(page, '[[final: Said before the restart.]]');
  await expectOnScreen(page, /● Said before the restart/);
  await expectState(page, 'ready');
  const before = (await terminal(page).getAttribute('data-stream')) ?? '';
  await page.getByTestId('agent-menu').click();
  await page.getByTestId('menu-restart').click();
  await expect(terminal(page)).not.toHaveAttribute('data-stream', before, { timeout: 60_000 });
  await waitForPrompt(page);
  await page.getByTestId('recording-link').click();
  await expect(page.getByTestId('recording-marker').first()).toBeAttached();
  await page.keyboard.press(' ');
  await page.keyboard.press('End');
  await page.keyboard.press('[');
  await expect.poll(() => shown(page)).not.toMatch(/before the restart/);
  await expect(page.getByTestId('recording-seek')).not.toHaveValue('0');
  await seekBy(page, -900);
  await expectShown(page, /● Said before the restart/);
});

test('what a shell showed can still be watched when it is closed', async () => {
  await page.getByTestId('new-shell').click();
  await expectOnScreen(page, /\$ ?$/m);
  await terminal(page).click();
  await page.keyboard.type('echo kept $((6*7))\n');
  await expectOnScreen(page, /^kept 42$/m);
  await page.getByRole('button', { name: /^Close shell.1$/ }).click();
  await page.getByRole('button', { name: 'Close shell', exact: true }).click();
  await expect(page.getByRole('tab', { name: /shell/ })).toHaveCount(0);
  await page.goto(`${agentUrl}/recordings/main`);
  await page.getByTestId('recording-terminal').click();
  await page.getByText('shell-1', { exact: true }).click();
  await expect(page).toHaveURL(/\/recordings\/shell-1$/);
  await seekTo(page, 1);
  await expectShown(page, /^kept 42$/m);
});

test('an agent that says so is not recorded from its next start on, and what was recorded stays', async () => {
  await page.getByTestId('agent-menu').click();
  await page.getByTestId('menu-edit').click();
  await page.getByTestId('change-sandbox').click();
  await page.getByTestId('recording-megabytes').fill('0');
  await page.getByTestId('create-agent').click();
  await expect(page.getByTestId('recording-link')).toHaveAttribute('data-recorded', 'true');
  await page.getByTestId('restart-apply').click();
  await expect(page.getByTestId('restart-bar')).toHaveCount(0, { timeout: 60_000 });
  await waitForPrompt(page);
  await expect(page.getByTestId('recording-link')).toHaveAttribute('data-recorded', 'false');
  await page.getByTestId('recording-link').click();
  await seekTo(page, 1);
  await expectShown(page, /● Said before the restart/);
});

test('on a phone, with a shell that never was, and after the agent has gone to sleep', async ({ browser }) => {
  const phone = (await person(browser, { phone: true })).page;
  await signIn(phone, journey.sac.origin, 'ana');
  await phone.goto(`${agentUrl}/recordings/shell-9`);
  await expect(phone.getByTestId('recording-empty')).toBeVisible();
  await phone.goto(`${agentUrl}/recordings/main`);
  await seekTo(phone, 0.5);
  await expect(phone.getByTestId('recording-screen')).toHaveAttribute('data-size', /\d+x\d+/);
  await expect(phone.getByTestId('recording-play')).toBeInViewport();
  await page.getByTestId('agent-menu').click();
  await page.getByTestId('menu-sleep').click();
  await expect(phone.getByTestId('recording-asleep')).toBeVisible({ timeout: 60_000 });
  await phone.context().close();
});
