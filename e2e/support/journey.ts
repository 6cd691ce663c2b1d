import { test, type Page } from '@playwright/test';
import { createAgent, leave, makeAccount, person, waitForPrompt } from './people.ts';
import { createInstallation, linkIn, type Installation, type InstallationOptions } from './sac.ts';

/** What the tests of one file share; there from the first of them on. */
export interface Journey {
  readonly sac: Installation;
  /** Of the first admin, `ana`. */
  readonly page: Page;
}

/** An installation for the tests of a file, not started yet; all of it ends with them, and the persons at browsers too. */
export function useInstallation(options?: InstallationOptions): { readonly sac: Installation } {
  const shared: { sac?: Installation } = {};
  test.beforeAll(async () => {
    shared.sac = await createInstallation(options);
  });
  test.afterAll(async ({ browser }) => {
    await leave(browser);
    await shared.sac?.destroy();
  });
  return shared as { sac: Installation }; // filled before the first test asks
}

/** An installation at work: its first admin is signed in and, with `agent`, an agent of that name waits at its prompt. */
export function useAdmin({ agent, ...options }: InstallationOptions & { readonly agent?: string } = {}): Journey {
  const shared = useInstallation(options) as { readonly sac: Installation; page?: Page };
  test.beforeAll(async ({ browser }) => {
    const link = linkIn(await shared.sac.start());
    const { page } = await person(browser);
    await makeAccount(page, link, 'ana');
    shared.page = page;
    if (agent === undefined) return;
    await createAgent(page, agent);
    await waitForPrompt(page);
  });
  return shared as Journey;
}
