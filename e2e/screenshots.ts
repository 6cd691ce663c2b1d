/**
 * Makes the pictures of the documentation from a real installation with the scripted model, so that they stay true:
 * `make screenshots`. Pictures land in docs/images.
 */
import { chromium, type Browser, type Page } from '@playwright/test';
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import type { AgentState } from '@sac/contracts';
import { demoAgent, password, redeemAdminLink, type ApiUser } from './support/api.ts';
import { launchOptions } from './support/browser.ts';
import { createInstallation, linkIn, type Installation } from './support/sac.ts';

const imagesDir = fileURLToPath(new URL('../docs/images', import.meta.url));
const STATE_TIMEOUT_MS = 240_000;

async function waitForState(user: ApiUser, agentId: string, states: readonly AgentState[]): Promise<void> {
  const deadline = Date.now() + STATE_TIMEOUT_MS;
  for (;;) {
    const { status } = await user.call('getAgent', { params: { agentId } });
    if (states.includes(status.state)) return;
    if (Date.now() > deadline) throw new Error(`agent ${agentId} is ${status.state}, not ${states.join(' or ')}`);
    await new Promise((resolve) => setTimeout(resolve, 250));
  }
}

interface Cast {
  readonly name: string;
  readonly icon: 'cart' | 'tag' | 'book' | 'chart';
  readonly prompt?: string;
  readonly until: readonly AgentState[];
  readonly bypass?: boolean;
  readonly sleep?: boolean;
}

const cast: readonly Cast[] = [
  { name: 'Quarterly report', icon: 'chart', until: ['ready'], sleep: true },
  { name: 'Docs site', icon: 'book', prompt: '[[final: Every page builds.]]', until: ['ready'] },
  { name: 'Release notes', icon: 'tag', prompt: '[[bash: rm -rf build]]', until: ['waiting'] },
  {
    name: 'Checkout refactor',
    icon: 'cart',
    prompt: 'Move the retry logic out of PaymentClient',
    until: ['working'],
    bypass: true,
  },
];

async function perform(user: ApiUser, role: Cast): Promise<string> {
  const body = await demoAgent(user, {
    name: role.name,
    icon: role.icon,
    permissionMode: role.bypass ? 'bypass' : 'default',
  });
  const { id: agentId } = await user.call('createAgent', { body });
  await user.call('openSession', { body: { agentId } });
  await waitForState(user, agentId, ['ready']);
  if (role.prompt !== undefined) {
    await user.call('sendPrompt', {
      params: { agentId },
      body: { clientRequestId: crypto.randomUUID(), text: role.prompt },
    });
    await waitForState(user, agentId, ['working', 'waiting']);
    await waitForState(user, agentId, role.until);
  }
  if (role.sleep) await user.call('sleepAgent', { params: { agentId }, body: {} });
  return agentId;
}

async function signedIn(browser: Browser, installation: Installation, phone: boolean): Promise<Page> {
  const context = await browser.newContext(
    phone
      ? { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true }
      : { viewport: { width: 1440, height: 900 } },
  );
  const page = await context.newPage();
  await page.goto(`${installation.origin}/sign-in`);
  await page.locator('input[name=username]').fill('ana');
  await page.locator('input[autocomplete=current-password]').fill(password);
  await page.locator('button[type=submit]').click();
  await page.waitForURL((url) => !url.pathname.startsWith('/sign-in'));
  return page;
}

const shoot = async (page: Page, name: string): Promise<void> => {
  await page.waitForTimeout(4_000); // streams and fonts settle
  await page.screenshot({ path: path.join(imagesDir, `${name}.png`) });
};

const installation = await createInstallation();
const browser = await chromium.launch(launchOptions);
try {
  await mkdir(imagesDir, { recursive: true });
  const user = await redeemAdminLink(linkIn(await installation.start()), 'ana');
  let agentId = '';
  for (const role of cast) agentId = await perform(user, role);

  const page = await signedIn(browser, installation, false);
  await page.goto(`${installation.origin}/agents/${agentId}`);
  await shoot(page, 'terminal');
  await page.goto(`${installation.origin}/agents/new`);
  await page.getByTestId('agent-name').fill('Nightly triage');
  await shoot(page, 'agent-editor');

  const phone = await signedIn(browser, installation, true);
  await phone.goto(`${installation.origin}/agents/${agentId}`);
  await shoot(phone, 'phone');
} finally {
  await browser.close();
  await installation.destroy();
}
