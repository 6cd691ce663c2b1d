import { readFile } from 'node:fs/promises';
import { expect, test, type Page } from '@playwright/test';
import { useAdmin } from '../support/journey.ts';
import { pidOf } from '../support/processes.ts';
import { expectOnScreen, person, screenText, settledConversation, signIn, terminal } from '../support/people.ts';

const journey = useAdmin({ agent: 'Terminal velocity' });
test.beforeAll(async () => {
  const { page } = journey;
  await page.getByTestId('new-shell').click();
  await expectOnScreen(page, /\$ ?$/m);
});

const toMain = (page: Page): Promise<void> => page.getByRole('tab', { name: /main/ }).click();
const toShell = (page: Page): Promise<void> => page.getByRole('tab', { name: /shell/ }).click();
const run = async (page: Page, command: string): Promise<void> => {
  await terminal(page).click();
  await page.keyboard.type(`${command}\n`);
};
const paste = (page: Page, text: string): Promise<void> =>
  page.evaluate((pasted) => {
    const clipboardData = new DataTransfer();
    clipboardData.setData('text/plain', pasted);
    document.activeElement?.dispatchEvent(
      new ClipboardEvent('paste', { clipboardData, bubbles: true, cancelable: true }),
    );
  }, text);
const sizeOf = (page: Page): Promise<string | null> => terminal(page).getAttribute('data-size');

test('search finds what has scrolled away, steps through it and goes', async () => {
  const { page } = journey;
  await run(page, 'clear; seq -f row-%g 1 300; echo counted');
  await expectOnScreen(page, /^counted$/m);
  await page.keyboard.press('Control+Shift+F');
  const search = page.getByTestId('terminal-search');
  await search.getByRole('textbox').fill('ROW-17');
  await expect(search).toContainText('1 / 11');
  await search.getByRole('textbox').press('Enter');
  await expect(search).toContainText(/(2|10|11) \/ 11/);
  await expectOnScreen(page, /^row-17\d$/m);
  await search.getByRole('button', { name: 'Regular expression' }).click();
  await search.getByRole('textbox').fill('row-17$');
  await expect(search).toContainText('1 / 1');
  await expectOnScreen(page, /^row-14\n[\s\S]*^row-17$/m);
  await page.keyboard.press('Escape');
  await expect(search).toHaveCount(0);
  await run(page, 'clear');
});

test('the settings close with Escape, and the search opens from them too', async () => {
  const { page } = journey;
  const opener = page.getByTestId('terminal-settings');
  const searchItem = page.getByTestId('search-terminal');
  await opener.click();
  await expect(searchItem).toBeVisible();
  await page.keyboard.press('Escape');
  await expect(searchItem).toHaveCount(0);
  await expect(opener).toBeFocused();
  await page.keyboard.press('Enter');
  await searchItem.click();
  await expect(page.getByTestId('terminal-search').getByRole('textbox')).toBeFocused();
  await page.keyboard.press('Escape');
});

test('several lines pasted into a shell are asked about, pasted into the CLI they are not', async () => {
  const { page } = journey;
  const lines = 'echo $((40+2))\necho $((40+3))\n';
  const question = page.getByRole('dialog');
  await terminal(page).click();
  await paste(page, lines);
  await expect(question).toContainText('echo $((40+3))');
  await question.getByRole('button', { name: 'Cancel' }).click();
  await expect(question).toHaveCount(0);
  expect(await screenText(page)).not.toContain('echo');
  await paste(page, lines);
  await question.getByRole('button', { name: 'Paste' }).click();
  await expect(question).toHaveCount(0);
  await page.keyboard.press('Enter');
  await expectOnScreen(page, /^42\n[\s\S]*^43$/m);

  await toMain(page);
  await terminal(page).click();
  await paste(page, 'first pasted line\nsecond pasted line');
  await expectOnScreen(page, /first pasted line\n\s*second pasted line/);
  await expect(question).toHaveCount(0);
  for (let index = 0; index < 40; index += 1) await page.keyboard.press('Backspace');
  await toShell(page);
});

test('Ctrl+V pastes what is on the clipboard, and with the setting off it is a key for the program', async () => {
  const { page } = journey;
  await page.context().grantPermissions(['clipboard-read', 'clipboard-write']);
  await page.evaluate(() => navigator.clipboard.writeText('echo $((40+4))'));
  await terminal(page).click();
  await page.keyboard.press('Control+V');
  await page.keyboard.press('Enter');
  await expectOnScreen(page, /^44$/m);
  const toggle = async (): Promise<void> => {
    await page.getByTestId('terminal-settings').click();
    await page.getByRole('switch', { name: 'Ctrl+V pastes' }).click();
    await page.getByTestId('terminal-settings').click();
  };
  await toggle();
  await run(page, 'cat -v');
  await page.keyboard.press('Control+V');
  await page.keyboard.press('Control+V');
  await page.keyboard.press('Enter');
  await expectOnScreen(page, /^\^V$/m);
  await page.keyboard.press('Control+C');
  await toggle();
});

test('the download holds what the terminal showed: scrollback, long lines in one piece, wide and cut characters', async () => {
  const { page } = journey;
  const many = 20_000;
  await run(
    page,
    `clear; seq 1 400; printf 'x%.0s' $(seq 500); echo; printf '\\u2026%.0s' $(seq ${many}); echo; printf '\\u5bff\\u53f8 \\U1f363 done\\n'`,
  );
  await expectOnScreen(page, /^寿司 🍣 done$/m);
  const download = async (): Promise<string> => {
    await page.getByTestId('terminal-settings').click();
    const [file] = await Promise.all([page.waitForEvent('download'), page.getByTestId('download-scrollback').click()]);
    expect(file.suggestedFilename()).toMatch(/^terminal-velocity-(shell-1|main)-\d{8}-\d{6}\.txt$/);
    await page.getByTestId('terminal-settings').click();
    return readFile(await file.path(), 'utf8');
  };
  const numbers = Array.from({ length: 400 }, (_, index) => String(index + 1));
  const expected = `${[...numbers, 'x'.repeat(500), '…'.repeat(many), '寿司 🍣 done'].join('\n')}\n`;
  const text = await download();
  expect(text.slice(text.indexOf('\n1\n') + 1)).toContain(expected);

  await toMain(page);
  await settledConversation(page);
  const shown = await screenText(page);
  const whole = (await download()).replaceAll('\u00a0', ' ').replace(/ +$/gm, '').trimEnd();
  expect(whole.slice(-shown.length)).toBe(shown);
  await toShell(page);
});

test('two browsers: the one that takes over sets the size, and gives it back', async ({ browser }) => {
  const { sac, page } = journey;
  await toMain(page);
  const own = await sizeOf(page);
  const { page: other, context } = await person(browser);
  await other.setViewportSize({ width: 1200, height: 700 });
  await signIn(other, sac.origin, 'ana');
  await other.goto(page.url());
  await expect(terminal(other)).toHaveAttribute('data-owner', 'false');
  await expect.poll(() => sizeOf(other)).toBe(own);
  await expect(other.getByTestId('viewers')).toContainText('2 viewers');

  await other.getByTestId('take-over').click();
  await expect(terminal(other)).toHaveAttribute('data-owner', 'true');
  await expect(terminal(page)).toHaveAttribute('data-owner', 'false');
  await expect.poll(() => sizeOf(page)).not.toBe(own);
  await expect.poll(async () => (await sizeOf(page)) === (await sizeOf(other))).toBe(true);

  await page.getByTestId('take-over').click();
  await expect(terminal(page)).toHaveAttribute('data-owner', 'true');
  await expect.poll(() => sizeOf(other)).toBe(own);
  await context.close();
});

test('a phone shows a part of a wide screen in a size that can be read, and a word is hit where it is seen', async ({
  browser,
}) => {
  const { sac, page } = journey;
  await toShell(page);
  await run(page, "clear; printf '%150s\\n' farword");
  await expectOnScreen(page, /^ +farword$/m);
  const { page: phone, context } = await person(browser, { phone: true });
  await context.grantPermissions(['clipboard-read', 'clipboard-write']);
  await signIn(phone, sac.origin, 'ana');
  await phone.goto(page.url());
  await toShell(phone);
  await expectOnScreen(phone, /^ +farword$/m);
  const part = terminal(phone).locator('.screen-box.part');
  const [box, bar] = [await part.boundingBox(), await terminal(phone).getByTestId('take-over').boundingBox()];
  expect(bar?.y ?? 0).toBeGreaterThanOrEqual((box?.y ?? 0) + (box?.height ?? 0));
  expect(await phone.evaluate(() => document.documentElement.scrollWidth - window.innerWidth)).toBeLessThanOrEqual(0);
  await part.evaluate((element) => (element.scrollLeft = element.scrollWidth));
  const screen = await part.locator('.xterm-screen').boundingBox();
  const [columns = 1, rows = 1] = ((await sizeOf(phone)) ?? '').split('x').map(Number);
  const row = (await screenText(phone)).split('\n').findIndex((line) => line.endsWith(' farword'));
  await phone.mouse.dblclick(
    (screen?.x ?? 0) + (147.5 / columns) * (screen?.width ?? 0),
    (screen?.y ?? 0) + ((row + 0.5) / rows) * (screen?.height ?? 0),
  );
  await phone.keyboard.press('Control+Shift+C');
  await expect.poll(() => phone.evaluate(() => navigator.clipboard.readText())).toBe('farword');
  await context.close();
});

test('the connection is lost: the screen stays, a countdown runs, and the button brings it back', async () => {
  const { sac, page } = journey;
  const before = await settledConversation(page);
  // A server that asks for a minute's patience: the page must not be back by itself before the button is pressed.
  await page.route('**/terminals/*/ticket', (route) =>
    route.fulfill({
      status: 503,
      json: { code: 'unavailable', message: 'Busy.', requestId: 'journey', details: { retryAfterSeconds: 60 } },
    }),
  );
  process.kill(await pidOf(sac, 'ws'), 'SIGKILL');
  const overlay = terminal(page).getByTestId('terminal-overlay');
  await expect(overlay).toHaveAttribute('data-kind', 'reconnecting');
  await expect(overlay).toContainText(/in [3-6]\d s/);
  expect(await settledConversation(page)).toBe(before);
  await page.unrouteAll();
  await overlay.getByTestId('terminal-reconnect').click();
  await expect(terminal(page)).toHaveAttribute('data-phase', 'live');
  await expect(overlay).toHaveCount(0);
  await expect.poll(() => settledConversation(page)).toBe(before);
});
