import { expect, type Browser, type BrowserContext, type Locator, type Page } from '@playwright/test';
import { password } from './api.ts';

/** A person at a browser. The terminal keeps its lines as text, as for a screen reader, so that tests can read it. */
export async function person(
  browser: Browser,
  { phone = false, ignoreHTTPSErrors = false }: { phone?: boolean; ignoreHTTPSErrors?: boolean } = {},
): Promise<{ context: BrowserContext; page: Page }> {
  const context = await browser.newContext({
    ignoreHTTPSErrors,
    ...(phone ? { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true } : {}),
  });
  await context.addInitScript(() => {
    localStorage.setItem('sac.terminal', JSON.stringify({ screenReader: true }));
  });
  return { context, page: await context.newPage() };
}

/** Ends the browsers of all persons. Files share one process: who is left in it goes on running pages beside the next file. */
export async function leave(browser: Browser): Promise<void> {
  for (const context of browser.contexts()) await context.close();
}

/** Fills the account form behind a first-admin or invite link and sends it. */
export async function makeAccount(page: Page, link: string, username: string): Promise<void> {
  await page.goto(link);
  await page.locator('input[name=username]').fill(username);
  await page.locator('input[name=new-password]').fill(password);
  await page.locator('button[type=submit]').click();
  await expect(page.getByTestId('user-menu')).toBeVisible();
}

export async function signIn(page: Page, origin: string, username: string): Promise<void> {
  await page.goto(`${origin}/sign-in`);
  await page.locator('input[name=username]').fill(username);
  await page.locator('input[autocomplete=current-password]').fill(password);
  await page.locator('button[type=submit]').click();
  await expect(page.getByTestId('user-menu')).toBeVisible();
}

/** Creates an agent with the values the editor offers, or on another `provider`; a DEMO installation offers its scripted model. */
export async function createAgent(
  page: Page,
  name: string,
  provider?: { readonly baseUrl: string; readonly token: string },
): Promise<void> {
  await page.goto(new URL('/agents/new', page.url()).href);
  await page.getByTestId('agent-name').fill(name);
  if (provider !== undefined) {
    await page.getByTestId('provider-custom').check({ force: true });
    await page.getByTestId('base-url').fill(provider.baseUrl);
    await page.getByTestId('api-key').fill(provider.token);
  }
  await page.getByTestId('create-agent').click();
  await expect(page).toHaveURL(/\/agents\/\d+$/);
}

/** A page, or one of two agents side by side on it. */
export type Place = Page | Locator;

/** The terminal in front; those behind other tabs stay mounted. */
export const terminal = (place: Place): Locator => place.locator('[data-testid=terminal]:visible');

/** Text on the screen of the terminal in front. */
export const screenText = (place: Place): Promise<string> =>
  ('goto' in place ? place.locator('body') : place).evaluate((within) =>
    [...within.querySelectorAll<HTMLElement>('[data-testid=terminal] .xterm-accessibility-tree > *')]
      .filter((line) => line.checkVisibility({ visibilityProperty: true }))
      .map((line) => (line.textContent ?? '').replaceAll('\u00a0', ' ').trimEnd())
      .join('\n')
      .trimEnd(),
  );

export const expectOnScreen = (place: Place, text: string | RegExp, timeout = 30_000): Promise<void> =>
  expect
    .poll(() => screenText(place), { timeout, message: `"${String(text)}" on the terminal's screen` })
    .toMatch(text);

/** The screen above the prompt: what the CLI writes below it are hints that come and go with time. */
export const conversationText = async (place: Place): Promise<string> => {
  const text = await screenText(place);
  const prompt = text.lastIndexOf('\n❯');
  return prompt < 0 ? text : text.slice(0, prompt);
};

/** The conversation once it holds still: the CLI writes a last line after it has said that it is ready. */
export async function settledConversation(place: Place): Promise<string> {
  let before = '';
  await expect
    .poll(
      async () => {
        const last = before;
        before = await conversationText(place);
        return before === last && !before.includes('running Stop hook');
      },
      { intervals: [750], message: 'a screen that holds still' },
    )
    .toBe(true);
  return before;
}

export const expectState = (place: Place, state: string | RegExp, timeout = 60_000): Promise<void> =>
  expect(place.getByTestId('state-pill')).toHaveAttribute('data-state', state, { timeout });

/** Waits for the CLI's prompt after the sandbox was started; the first start of all installs the CLI. */
export async function waitForPrompt(place: Place, timeout = 180_000): Promise<void> {
  await expectState(place, /ready|working|waiting/, timeout);
  await expectOnScreen(place, '❯', 30_000);
}

export async function send(place: Place, prompt: string): Promise<void> {
  await place.getByTestId('prompt-input').fill(prompt);
  await place.getByTestId('prompt-input').press('Enter');
}
