import { expect, test } from '@playwright/test';
import { useAdmin } from '../support/journey.ts';
import { pidOf } from '../support/processes.ts';
import {
  conversationText,
  expectOnScreen,
  expectState,
  send,
  settledConversation,
  terminal,
} from '../support/people.ts';

const journey = useAdmin({ agent: 'Survivor' });

test('ws-proxy killed: the terminal comes back by itself with the exact screen', async () => {
  const { sac, page } = journey;
  await send(page, '[[final: Before the crash.]]');
  await expectOnScreen(page, /● Before the crash/);
  await expectState(page, 'ready');
  const before = await settledConversation(page);
  const pid = await pidOf(sac, 'ws');
  process.kill(pid, 'SIGKILL');
  await expect.poll(() => pidOf(sac, 'ws').catch(() => pid), { timeout: 30_000 }).not.toBe(pid);
  await expect(terminal(page)).toHaveAttribute('data-phase', 'live');
  await expect.poll(() => conversationText(page)).toBe(before);
  await send(page, '[[final: After the crash.]]');
  await expectOnScreen(page, /● After the crash/);
});

test('PostgreSQL killed: an open terminal does not notice, the rest comes back', async () => {
  const { sac, page } = journey;
  await expectState(page, 'ready');
  const pid = await pidOf(sac, 'db');
  process.kill(pid, 'SIGKILL');
  await terminal(page).click();
  await page.keyboard.type('typed without a database');
  await expectOnScreen(page, /typed without a database/);
  await expect(terminal(page)).toHaveAttribute('data-phase', 'live');
  for (let index = 0; index < 24; index++) await page.keyboard.press('Backspace');
  await expect.poll(async () => (await fetch(`${sac.origin}/health/ready`)).status, { timeout: 60_000 }).toBe(200);
  await send(page, '[[final: The database is back.]]');
  await expectOnScreen(page, /● The database is back/);
});

test('the gateway killed: agents and open terminals go on, and the next start finds them', async () => {
  const { sac, page } = journey;
  await expectState(page, 'ready');
  await page.getByTestId('new-shell').click();
  await expectOnScreen(page, /\$ ?$/m);
  await page.keyboard.type('for i in $(seq 1 100); do echo tick$i; sleep 0.2; done\n');
  await expectOnScreen(page, /tick([3-9]|\d\d+)$/m);
  process.kill(await pidOf(sac, 'api'), 'SIGKILL');
  await expectOnScreen(page, /tick([3-9]\d|100)$/m);
  await sac.start();
  await expectOnScreen(page, /tick100$/m, 60_000);
  await page.getByRole('tab', { name: /main/ }).click();
  await send(page, '[[final: Found again.]]');
  await expectOnScreen(page, /● Found again/);
});
