import { expect, test } from '@playwright/test';
import { closeSync, openSync, rmSync, writeSync } from 'node:fs';
import path from 'node:path';
import { useAdmin } from '../support/journey.ts';
import { expectOnScreen, expectState, send, terminal } from '../support/people.ts';
import { pidOf } from '../support/processes.ts';

const diskBytes = 420 * 1024 * 1024;
const journey = useAdmin({ agent: 'Frugal', diskBytes });
// In CI nothing is left out: there it fails.
const isLeftOut = process.getuid?.() !== 0 && process.env['CI'] === undefined;
if (isLeftOut) process.stderr.write('Left out, a disk of its own cannot be mounted here: that needs root.\n');
test.skip(isLeftOut, 'a disk of its own needs root');

/** Leaves not one free byte. */
function fill(file: string): void {
  const descriptor = openSync(file, 'a');
  for (const pieceBytes of [1 << 20, 1 << 12, 1]) {
    try {
      for (;;) writeSync(descriptor, Buffer.alloc(pieceBytes));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
    }
  }
  closeSync(descriptor);
}

const statusOf = (url: string): Promise<number> =>
  fetch(url).then(
    ({ status }) => status,
    () => 0,
  );

test('a full disk: terminals go on, the page says what is wrong, and all comes back when there is room', async () => {
  const { sac, page } = journey;
  const ballast = path.join(sac.dataDir, 'ballast');
  await page.getByTestId('new-shell').click();
  await expectOnScreen(page, /\$ ?$/m);
  fill(ballast);

  await test.step('uploads are refused with the reason, the terminal works', async () => {
    const file = { name: 'big.bin', mimeType: 'application/octet-stream', buffer: Buffer.alloc(3_000_000) };
    await page.getByTestId('prompt-file').setInputFiles(file);
    await expect(page.getByText(/disk is full/)).toBeVisible();
    await terminal(page).click();
    await page.keyboard.type('echo $((6*7))\n');
    await expectOnScreen(page, /^42$/m);
    expect(await statusOf(`${sac.origin}/health/live`)).toBe(200);
  });

  await test.step('PostgreSQL killed meanwhile: the gateway and the terminal go on without it', async () => {
    process.kill(await pidOf(sac, 'db'), 'SIGKILL');
    await page.keyboard.type('echo $((7*7))\n');
    await expectOnScreen(page, /^49$/m);
    await page.waitForTimeout(3_000); // it is tried again in vain
    expect(await statusOf(`${sac.origin}/health/live`)).toBe(200);
  });

  await test.step('with room again everything comes back by itself', async () => {
    rmSync(ballast);
    await expect.poll(() => statusOf(`${sac.origin}/health/ready`), { timeout: 60_000 }).toBe(200);
    await page.getByRole('tab', { name: /main/ }).click();
    await expectState(page, 'ready');
    await send(page, '[[final: Room to work.]]');
    await expectOnScreen(page, /● Room to work/);
  });
});
