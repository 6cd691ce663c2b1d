import { chromium, expect, test, type Page } from '@playwright/test';
import { launchOptions } from '../support/browser.ts';
import { useAdmin } from '../support/journey.ts';
import { expectOnScreen, person, screenText, signIn, terminal } from '../support/people.ts';

const journey = useAdmin({ agent: 'Screen test' });
test.beforeAll(async () => {
  const { page } = journey;
  await page.getByTestId('new-shell').click();
  await expectOnScreen(page, /\$ ?$/m);
});

const toShell = (page: Page): Promise<void> => page.getByRole('tab', { name: /shell/ }).click();
const run = async (page: Page, command: string): Promise<void> => {
  await terminal(page).click();
  await page.keyboard.type(`${command}\n`);
};
/** The middle of a word on the screen, in pixels of the page. */
const placeOf = async (page: Page, word: string): Promise<{ x: number; y: number }> => {
  const lines = (await screenText(page)).split('\n');
  const row = lines.findLastIndex((line) => line.includes(word));
  const column = (lines[row] ?? '').indexOf(word) + word.length / 2;
  const screen = await terminal(page).locator('.xterm-screen').boundingBox();
  const [columns = 1, rows = 1] = ((await terminal(page).getAttribute('data-size')) ?? '').split('x').map(Number);
  return {
    x: (screen?.x ?? 0) + (column / columns) * (screen?.width ?? 0),
    y: (screen?.y ?? 0) + ((row + 0.5) / rows) * (screen?.height ?? 0),
  };
};

test('links open with Ctrl and a click, and only those of the web', async () => {
  const { page } = journey;
  await page.evaluate(() => {
    const followed: string[] = [];
    Object.assign(window, { followed, open: (address: string) => void followed.push(address) });
  });
  const followed = (): Promise<string[]> =>
    page.evaluate(() => (window as unknown as { followed: string[] }).followed.splice(0));
  const marked = (address: string, text: string): string => `\\e]8;;${address}\\e\\\\${text}\\e]8;;\\e\\\\`;
  await run(
    page,
    `clear; printf '%b\\n' 'https://one.example/a' 'ftp://two.example/b' '${marked('http://three.example/c', 'marked-web')}' '${marked('file:///etc/passwd', 'marked-file')}' '${marked('javascript:alert(1)', 'marked-script')}' | tail -n 5; echo shown`,
  );
  await expectOnScreen(page, /^marked-script\n\s*shown$/m);
  for (const [word, address] of [
    ['one.example', 'https://one.example/a'],
    ['two.example', null],
    ['marked-web', 'http://three.example/c'],
    ['marked-file', null],
    ['marked-script', null],
  ] as const) {
    const { x, y } = await placeOf(page, word);
    await page.mouse.move(x - 3, y);
    await page.mouse.move(x, y);
    // The screen asks for the links of a line when the pointer is over it.
    await page.waitForTimeout(200);
    await page.mouse.click(x, y);
    expect(await followed(), `${word}, a plain click`).toEqual([]);
    await page.keyboard.down('Control');
    await page.mouse.click(x, y);
    await page.keyboard.up('Control');
    expect(await followed(), `${word} with Ctrl`).toEqual(address === null ? [] : [address]);
  }
});

test('F3 with a modifier reaches the program from a window that does not own the size', async ({ browser }) => {
  const { sac, page } = journey;
  const { page: other, context } = await person(browser);
  await signIn(other, sac.origin, 'ana');
  await other.goto(page.url());
  await toShell(other);
  await expect(terminal(other)).toHaveAttribute('data-owner', 'false');
  await run(other, 'clear; cat -v');
  for (const key of ['Shift+F3', 'Control+F3', 'Alt+F3']) await other.keyboard.press(key);
  await expectOnScreen(other, '^[[1;2R^[[1;5R^[[1;3R');
  await other.keyboard.press('Control+C');
  await context.close();
});

test('who only watches a terminal types nothing into it, until they take part again', async ({ browser }, {
  outputDir,
}) => {
  const { sac, page } = journey;
  await run(page, 'clear; echo before');
  await expectOnScreen(page, /^before$/m);
  const watch = async (somebody: Page): Promise<void> => {
    await somebody.getByTestId('terminal-settings').click();
    await somebody.getByRole('switch', { name: 'Only watch this terminal' }).click();
    await somebody.screenshot({ path: `${outputDir}/settings-${somebody.viewportSize()?.width}.png` });
    await somebody.getByTestId('terminal-settings').click();
    await expect(somebody.getByTestId('watching')).toBeVisible();
    await expect(terminal(somebody)).toHaveAttribute('data-phase', 'live');
    await expect(terminal(somebody)).toHaveAttribute('data-owner', 'false');
  };
  await watch(page);
  await run(page, 'echo unwanted');
  await page.reload();
  await toShell(page);
  await expectOnScreen(page, /^before$/m);
  await expect(terminal(page)).toHaveAttribute('data-phase', 'live');
  await run(page, 'echo unwanted');
  await expect(page.getByTestId('take-over')).toHaveCount(0);
  await page.screenshot({ path: `${outputDir}/watching-1440.png` });

  const { page: phone, context } = await person(browser, { phone: true });
  await signIn(phone, sac.origin, 'ana');
  await phone.goto(page.url());
  await toShell(phone);
  await expect(phone.getByTestId('key-bar')).toBeVisible();
  await watch(phone);
  await expect(phone.getByTestId('key-bar')).toHaveCount(0);
  await expect(terminal(phone).getByTestId('take-over')).toHaveCount(0);
  await expect(phone.getByTestId('prompt-input')).toBeVisible();
  expect(await phone.evaluate(() => document.documentElement.scrollWidth - window.innerWidth)).toBeLessThanOrEqual(0);
  await phone.screenshot({ path: `${outputDir}/watching-390.png` });
  await context.close();

  await page.getByTestId('take-part').click();
  await expect(page.getByTestId('watching')).toHaveCount(0);
  await expect(terminal(page)).toHaveAttribute('data-phase', 'live');
  await run(page, 'echo after');
  await expectOnScreen(page, /^after$/m);
  expect(await screenText(page)).not.toContain('unwanted');
});

/** Lines that are drawn as elements of the page: there are none while WebGL draws. */
const drawnLines = (page: Page): Promise<string> =>
  terminal(page)
    .locator('.xterm-rows')
    .evaluate((rows) => rows.textContent ?? '', undefined, { timeout: 2_000 })
    .catch(() => '');

test('a terminal whose WebGL context is lost goes on with elements of the page', async () => {
  const { page } = journey;
  await run(page, 'clear; echo drawn-by-webgl');
  await expect(terminal(page)).toHaveAttribute('data-renderer', 'webgl');
  expect(await drawnLines(page)).not.toContain('drawn-by-webgl');
  const lost = await terminal(page).evaluate(
    (element) =>
      [...element.querySelectorAll('canvas')].filter((canvas) => {
        const extension = canvas.getContext('webgl2')?.getExtension('WEBGL_lose_context');
        extension?.loseContext();
        return extension;
      }).length,
  );
  expect(lost).toBe(1);
  // The addon gives the browser some seconds to bring it back.
  await expect.poll(() => drawnLines(page)).toContain('drawn-by-webgl');
  await run(page, 'echo drawn-after');
  await expect(terminal(page)).toHaveAttribute('data-renderer', 'dom');
  expect(await drawnLines(page)).toContain('drawn-after');
});

test('a browser without WebGL draws terminals with elements of the page', async () => {
  const { sac, page } = journey;
  const browser = await chromium.launch({ ...launchOptions, args: [...launchOptions.args, '--disable-3d-apis'] });
  const { page: other } = await person(browser);
  await signIn(other, sac.origin, 'ana');
  await other.goto(page.url());
  await toShell(other);
  await run(other, 'clear; echo without-webgl');
  await expect.poll(() => drawnLines(other)).toContain('without-webgl');
  await expect(terminal(other)).toHaveAttribute('data-renderer', 'dom');
  await browser.close();
});
