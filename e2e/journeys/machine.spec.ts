import { expect, test } from '@playwright/test';
import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { useAdmin } from '../support/journey.ts';
import { expectOnScreen, expectState, person, send, signIn, waitForPrompt } from '../support/people.ts';
import { losePower } from '../support/processes.ts';
import { createInstallation } from '../support/sac.ts';

const journey = useAdmin({ agent: 'Historian' });

test('the machine loses power: after the next start the agent is awake and continues its conversation', async () => {
  const { sac, page } = journey;
  await send(page, '[[final: Said before the lights went out.]]');
  await expectOnScreen(page, /● Said before the lights went out/);
  await expectState(page, 'ready');
  expect(await losePower(sac)).toBeGreaterThan(4);
  await rm(path.join(sac.dataDir, 'run'), { recursive: true });
  await sac.start();
  await waitForPrompt(page);
  await expectOnScreen(page, /Said before the lights went out/);
  await send(page, '[[final: Light again.]]');
  await expectOnScreen(page, /● Light again/);
});

test('a copy of the data directory at another place is the same installation', async ({ browser }) => {
  const { sac, page } = journey;
  await expectState(page, 'ready');
  await send(page, '[[final: Worth keeping.]]');
  await expectOnScreen(page, /● Worth keeping/);
  await expectState(page, 'ready');
  await sac.stop();
  const parent = await mkdtemp(path.join(tmpdir(), 'sac-e2e-copy-'));
  const dataDir = path.join(parent, 'restored');
  await cp(sac.dataDir, dataDir, { recursive: true, verbatimSymlinks: true });
  const restored = await createInstallation({ dataDir });
  try {
    await restored.start();
    const { page: there } = await person(browser);
    await signIn(there, restored.origin, 'ana');
    await there.goto(new URL(new URL(page.url()).pathname, restored.origin).href);
    await waitForPrompt(there);
    await expectOnScreen(there, /Worth keeping/);
    await send(there, '[[final: Restored.]]');
    await expectOnScreen(there, /● Restored/);
  } finally {
    await restored.destroy();
    await rm(parent, { recursive: true, force: true });
  }
});
