import { expect, test, type Locator, type Page } from '@playwright/test';
import { useAdmin } from '../support/journey.ts';
import { createAgent, expectOnScreen, person, send, signIn, terminal, waitForPrompt } from '../support/people.ts';

const journey = useAdmin({ agent: 'Left with a name that is as long as names can be' });

const pane = (page: Page, index: number): Locator => page.getByTestId('pane').nth(index);
const agentIds = (page: Page): Promise<(string | null)[]> =>
  page.getByTestId('agent-page').evaluateAll((all) => all.map((one) => one.getAttribute('data-agent-id')));
const streamOf = (place: Locator): Promise<string | null> => terminal(place).getAttribute('data-stream');
const columnsOf = async (place: Locator): Promise<number> =>
  Number((await terminal(place).getAttribute('data-size'))?.split('x')[0]);

test('two agents side by side: both live, moved, swapped, kept over a reload, and one closed', async ({ browser }) => {
  const { sac, page } = journey;
  const left = new URL(page.url()).pathname.split('/').at(-1) ?? '';
  await createAgent(page, 'Right');
  await waitForPrompt(page);
  const right = new URL(page.url()).pathname.split('/').at(-1) ?? '';
  await page.goto(`${sac.origin}/agents/${left}`);
  await waitForPrompt(page);

  await test.step('opened from the menu, both take prompts', async () => {
    await page.getByTestId('agent-menu').click();
    await page.getByTestId('menu-beside').hover();
    await page.getByTestId(`beside-${right}`).click();
    await waitForPrompt(pane(page, 1));
    await send(pane(page, 0), '[[final: Said on the left.]]');
    await send(pane(page, 1), '[[final: Said on the right.]]');
    await expectOnScreen(pane(page, 0), /● Said on the left/);
    await expectOnScreen(pane(page, 1), /● Said on the right/);
  });

  await test.step('the divider moves and both terminals take their new width', async () => {
    const before = [await columnsOf(pane(page, 0)), await columnsOf(pane(page, 1))] as const;
    const handle = await page.getByTestId('split-divider').boundingBox();
    if (handle === null) throw new Error('the divider is not on screen');
    await page.mouse.move(handle.x, handle.y + 100);
    await page.mouse.down();
    await page.mouse.move(handle.x + 150, handle.y + 100, { steps: 5 });
    await page.mouse.up();
    await expect.poll(() => columnsOf(pane(page, 0))).toBeGreaterThan(before[0] + 10);
    await expect.poll(() => columnsOf(pane(page, 1))).toBeLessThan(before[1] - 10);
  });

  await test.step('swapped without a new connection, and the same after a reload', async () => {
    const streams = [await streamOf(pane(page, 0)), await streamOf(pane(page, 1))];
    await page.getByTestId('split-swap').first().click();
    await expect.poll(() => agentIds(page)).toEqual([right, left]);
    expect([await streamOf(pane(page, 1)), await streamOf(pane(page, 0))]).toEqual(streams);
    const columns = await columnsOf(pane(page, 0));
    await page.reload();
    await expectOnScreen(pane(page, 0), /● Said on the right/);
    await expectOnScreen(pane(page, 1), /● Said on the left/);
    expect(await agentIds(page)).toEqual([right, left]);
    await expect.poll(() => columnsOf(pane(page, 0))).toBe(columns);
  });

  await test.step('a phone shows one', async () => {
    const phone = await person(browser, { phone: true });
    await signIn(phone.page, sac.origin, 'ana');
    await phone.page.goto(page.url());
    await expectOnScreen(phone.page, /● Said on the right/);
    expect(await agentIds(phone.page)).toEqual([right]);
    await phone.context.close();
  });

  await test.step('one closed, the other goes on', async () => {
    const stream = await streamOf(pane(page, 1));
    await pane(page, 0).getByTestId('split-close').click();
    await expect.poll(() => agentIds(page)).toEqual([left]);
    await expect(terminal(page)).toHaveAttribute('data-phase', 'live');
    expect(await streamOf(pane(page, 0))).toBe(stream);
    await send(page, '[[final: Alone again.]]');
    await expectOnScreen(page, /● Alone again/);
  });
});
