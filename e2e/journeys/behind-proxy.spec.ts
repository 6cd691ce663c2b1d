import { expect, test } from '@playwright/test';
import { createAgent, expectOnScreen, leave, makeAccount, person, terminal, waitForPrompt } from '../support/people.ts';
import { createInstallation, linkIn, type Installation } from '../support/sac.ts';
import { startTlsProxy, type TlsProxy } from '../support/tls-proxy.ts';

let proxy: TlsProxy;
let sac: Installation;
test.beforeAll(async () => {
  proxy = await startTlsProxy();
  sac = await createInstallation({ env: { SAC_PUBLIC_URL: proxy.origin, SAC_TRUSTED_PROXIES: '127.0.0.1' } });
  proxy.forwardTo(sac.origin);
});
test.afterAll(async ({ browser }) => {
  await leave(browser);
  proxy.close();
  await sac.destroy();
});

test('behind a proxy with TLS: links name the public address, terminals work, other origins are refused', async ({
  browser,
}) => {
  const link = linkIn(await sac.start());
  expect(link.startsWith(`${proxy.origin}/welcome#`)).toBe(true);
  const { page } = await person(browser, { ignoreHTTPSErrors: true });
  await makeAccount(page, link, 'ana');
  await createAgent(page, 'Far away');
  await waitForPrompt(page);
  await expect(terminal(page)).toHaveAttribute('data-phase', 'live');
  await terminal(page).click();
  await page.keyboard.type('typed through the proxy');
  await expectOnScreen(page, /typed through the proxy/);
  await page.reload();
  await expect(page.getByTestId('user-menu')).toBeVisible(); // the cookie is kept

  const answer = await fetch(`${sac.origin}/api/auth/sign-in`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', origin: 'https://elsewhere.example' },
    body: JSON.stringify({ username: 'ana', password: 'x' }),
  });
  expect(answer.status).toBe(403);
});
